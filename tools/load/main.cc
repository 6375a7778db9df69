// SPDX-License-Identifier: Apache-2.0
// leat-load: a load generator for chat completions that checks every word it gets. Reads its
// options, runs once, prints what it found.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <string>

#include "load/driver.h"
#include "load/options.h"
#include "wire/loop.h"

namespace leat::tools {
namespace {

constexpr char kAbout[] =
    "Load for OpenAI-shaped chat completions, to be pointed at leat-mock, directly or through a\n"
    "gateway. Checks every word of every answer; counts errors by kind; measures from the moment "
    "a\n"
    "request was due. Ends with status 0 if there was no error, else 1.";

// Times as typed, in seconds.
struct Times {
  double ramp = 0;
  double warm_up = 1;
  double window = 5;
  double drain = 5;
  double timeout = 60;
  std::string keys_file;
};

Duration from_seconds(double s) {
  return nanoseconds(static_cast<std::int64_t>(s * 1e9));
}

void add_target_options(CLI::App& app, LoadOptions& options, Times& times) {
  app.add_option("url", options.url, "http(s)://HOST:PORT/BASE, up to /chat/completions")
      ->capture_default_str();
  app.add_option("--ca", options.ca_file,
                 "PEM file of authorities to trust; default: the system's");
  app.add_option("--connect-to", options.connect_to,
                 "HOST:PORT to connect to instead of the URL's");
  app.add_option("--model", options.model, "Model to ask for")->capture_default_str();
  app.add_option("--models", options.models, "Ask for MODEL-1 to MODEL-N in turn; 0: for MODEL")
      ->check(CLI::Range(0, 9))
      ->capture_default_str();
  app.add_option("--key", options.keys, "API key; repeatable: connection i takes key i modulo N");
  app.add_option("--keys-file", times.keys_file, "File with a key on each line, used as --key");
}

void add_load_options(CLI::App& app, LoadOptions& options, Times& times) {
  app.add_option("-c,--connections", options.connections, "Connections")->capture_default_str();
  app.add_option("--streams", options.connections,
                 "As --connections, for as many streams at a time; implies --stream");
  app.add_option("-r,--rate", options.rate,
                 "Requests per second, due at fixed moments (open loop); 0: each connection sends "
                 "when its last answer is complete (closed loop)")
      ->capture_default_str();
  app.add_flag("--idle", options.idle, "One request on each connection, then keep them open, idle");
  app.add_flag("!--no-keep-alive", options.keep_alive, "A connection for each request");
  app.add_option("--sources", options.sources, "Client addresses: 127.0.0.1 and so many following")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  app.add_option("--ramp", times.ramp, "Seconds over which the connections begin (closed loop)")
      ->capture_default_str();
  app.add_option("--warm-up", times.warm_up, "Seconds before the window")->capture_default_str();
  app.add_option("-d,--duration", times.window, "Seconds that are measured")->capture_default_str();
  app.add_option("--drain", times.drain, "Seconds to wait for what is under way at the end")
      ->capture_default_str();
  app.add_option("--timeout", times.timeout, "Seconds that one request may take")
      ->capture_default_str();
  app.add_option("--seed", options.seed, "Of nonces and dice; 0: from the clock")
      ->capture_default_str();
}

void add_request_options(CLI::App& app, LoadOptions& options) {
  static const std::map<std::string, UsageRule> kRules = {
      {"asked", UsageRule::kIfAsked}, {"always", UsageRule::kAlways}, {"any", UsageRule::kAny}};
  app.add_flag("--stream", options.stream, "Ask for streamed answers");
  app.add_option("--prompt-bytes", options.prompt_bytes, "Size of the request's messages")
      ->capture_default_str();
  app.add_option("--tokens", options.tokens, "Length of each answer (max_tokens)")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--include-usage", options.include_usage, "Ask for the usage chunk");
  app.add_option("--usage-rule", options.usage_rule, "When a stream must have a usage chunk")
      ->transform(CLI::CheckedTransformer(kRules))
      ->default_str("asked");
  app.add_option("--abort-rate", options.abort_rate,
                 "Share of requests given up on purpose, at a random phase, by FIN or RST")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--abort-log", options.abort_log,
                 "File that gets a line 'SEED NANOSECONDS PHASE' for each of them");
}

void add_report_options(CLI::App& app, LoadOptions& options) {
  app.add_option("--pid", options.pids, "Process whose CPU time and memory to report; repeatable");
  app.add_option("--core", options.cores, "Core whose load to report; repeatable");
  app.add_flag("--json", options.json, "Print one JSON object");
}

void read_keys(const std::string& path, std::vector<std::string>& keys) {
  std::ifstream file(path);
  if (!file) die("the keys file cannot be read");
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty()) keys.push_back(line);
  }
  if (keys.empty()) die("the keys file has no key");
}

int run(const LoadOptions& options) {
  const std::uint64_t descriptors = raise_descriptor_limit();
  if (options.connections + 64 > descriptors) {
    die("more connections than this process may have descriptors");
  }
  const auto driver = std::make_unique<Driver>(options);
  const Results& results = driver->run();
  fmt::print("{}\n", options.json ? results.to_json(options) : results.to_text(options));
  return results.errors() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace leat::tools

int main(int argc, char** argv) {
  using namespace leat::tools;
  LoadOptions options;
  Times times;
  CLI::App app(kAbout);
  add_target_options(app, options, times);
  add_load_options(app, options, times);
  add_request_options(app, options);
  add_report_options(app, options);
  CLI11_PARSE(app, argc, argv);
  if (app.count("--streams") > 0) options.stream = true;
  if (!times.keys_file.empty()) read_keys(times.keys_file, options.keys);
  options.ramp = from_seconds(times.ramp);
  options.warm_up = from_seconds(times.warm_up);
  options.window = from_seconds(times.window);
  options.drain = from_seconds(times.drain);
  options.timeout = from_seconds(times.timeout);
  if (options.seed == 0) options.seed = static_cast<std::uint64_t>(read_clock().ns);
  std::signal(SIGPIPE, SIG_IGN);
  return run(options);
}
