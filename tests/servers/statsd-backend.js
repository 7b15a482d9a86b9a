// A statsd 0.9.0 backend that reports on standard output, in the format that statsd.rs parses:
//
//     listening PROTOCOL PORT                 once for udp and once for tcp
//     counter NAME INCREASE                   since the last flush
//     gauge NAME VALUE
//     timer NAME COUNT LOWER UPPER SUM        since the last flush
//     set NAME SIZE                           since the last flush
//     flush                                   ends each flush
//
// Names contain no spaces: statsd has replaced them.
"use strict";

// A failed write ends the process, so that the server does not outlive the test that reads from it.
function print(lines) {
  process.stdout.write(lines.join("\n") + "\n");
}

// statsd does not expose the listening sockets, but its server modules export them.
function printPort(protocol) {
  const { server } = require.main.require(`./servers/${protocol}`);
  server.once("listening", () => print([`listening ${protocol} ${server.address().port}`]));
}

exports.init = (startupTime, config, events) => {
  printPort("udp");
  printPort("tcp");
  events.on("flush", (timestamp, { counters, gauges, sets, timer_data }) => {
    const lines = [];
    for (const [name, increase] of Object.entries(counters)) {
      lines.push(`counter ${name} ${increase}`);
    }
    for (const [name, value] of Object.entries(gauges)) {
      lines.push(`gauge ${name} ${value}`);
    }
    for (const [name, { count, lower, upper, sum }] of Object.entries(timer_data)) {
      lines.push(`timer ${name} ${count} ${lower} ${upper} ${sum}`);
    }
    for (const [name, set] of Object.entries(sets)) {
      lines.push(`set ${name} ${set.values().length}`);
    }
    print([...lines, "flush"]);
  });
  return true;
};
