// What statsd.rs beside it starts statsd 0.9.0 with, which evaluates this file as one expression.
//
// Ports are the text "0": statsd takes the number 0 for "not set" and would use its defaults, while
// the text reaches the operating system, which picks free ports. The backend tells which.
{
  servers: [
    { server: "./servers/udp", address: "127.0.0.1", port: "0" },
    { server: "./servers/tcp", address: "127.0.0.1", port: "0" },
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
