// What statsd.rs beside it starts statsd 0.9.0 with, which evaluates this file as one expression.
//
// Ports are text: statsd takes the number 0 for "not set" and would use its defaults, while the text
// "0" reaches the operating system, which picks free ports. The backend tells which.
{
  servers: [
    { server: "./servers/udp", address: process.env.STATSD_ADDRESS || "127.0.0.1", port: process.env.STATSD_PORT },
    { server: "./servers/tcp", address: process.env.STATSD_ADDRESS || "127.0.0.1", port: process.env.STATSD_PORT },
  ],
  // The management port cannot be turned off.
  mgmt_address: "127.0.0.1",
  mgmt_port: "0",
  flushInterval: 50, // milliseconds
  // Each flush reports what came since the last one, and every gauge's present value.
  deleteCounters: true,
  deleteTimers: true,
  backends: [require("path").resolve(process.argv[2], "../statsd-backend.js")],
  automaticConfigReload: false,
}
