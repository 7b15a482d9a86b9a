// Configuration of statsd 0.9.0, which evaluates this file as one expression. statsd.rs passes it.
//
// Ports are strings. statsd treats the number 0 as "not set" and would use its defaults, but the
// string "0" reaches the operating system, which picks free ports. The backend reports them.
{
  servers: [
    { server: "./servers/udp", address: process.env.STATSD_ADDRESS || "127.0.0.1", port: process.env.STATSD_PORT },
    { server: "./servers/tcp", address: process.env.STATSD_ADDRESS || "127.0.0.1", port: process.env.STATSD_PORT },
  ],
  // The management port cannot be turned off.
  mgmt_address: "127.0.0.1",
  mgmt_port: "0",
  flushInterval: 50, // milliseconds
  // Each flush reports counters and timers since the last flush, and the current value of every
  // gauge.
  deleteCounters: true,
  deleteTimers: true,
  backends: [require("path").resolve(process.argv[2], "../statsd-backend.js")],
  automaticConfigReload: false,
}
