// SPDX-License-Identifier: Apache-2.0
// leat-mock: a provider for tests and measurements. Reads its options, opens its ports, serves.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "mock/http2_connection.h"
#include "mock/options.h"
#include "mock/server.h"
#include "mock/tally.h"

namespace leat::tools {
namespace {

constexpr char kAbout[] =
    "An OpenAI-shaped provider for tests and measurements: POST .../chat/completions (streamed "
    "and\n"
    "not), GET .../models, and GET /stats for what it did, by HTTP/1.1 and HTTP/2. The words of an "
    "answer follow from the\n"
    "request's messages, so that leat-load can check each of them.";

void add_pace_options(CLI::App& app, MockOptions& options, double& first_token_ms) {
  app.add_option("--tokens", options.tokens, "Length of an answer whose request sets no max_tokens")
      ->capture_default_str();
  app.add_option("--rate", options.tokens_per_s, "Tokens per second of each answer; 0: all at once")
      ->capture_default_str();
  app.add_option("--first-token-ms", first_token_ms, "Delay before the answer begins")
      ->capture_default_str();
  app.add_option("--events-per-write", options.events_per_write,
                 "Stream events sent together; the token rate stays the same")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--nagle", options.nagle,
               "Send no small segment while one is not acknowledged (Nagle's algorithm)");
  app.add_option("--event-bytes", options.event_bytes, "Size to which token events are padded")
      ->capture_default_str();
}

void add_fault_options(CLI::App& app, MockOptions& options) {
  const auto share = CLI::Range(0.0, 1.0);
  app.add_option("--error-rate", options.error_rate, "Share of requests refused")->check(share);
  app.add_option("--error-status", options.error_statuses, "Statuses to refuse with")
      ->capture_default_str();
  app.add_option("--stream-error-rate", options.stream_error_rate,
                 "Share of streams that end by an error event in their 200")
      ->check(share);
  app.add_option("--cut-rate", options.cut_rate, "Share of streams dropped on the way")
      ->check(share);
  app.add_option("--corrupt-rate", options.corrupt_rate, "Share of answers with one wrong word")
      ->check(share);
  app.add_option("--seed", options.seed, "Of the dice for these shares")->capture_default_str();
}

void add_server_options(CLI::App& app, MockOptions& options) {
  app.add_option("--listen", options.plain, "HOST:PORT for plain HTTP; port 0: any; repeatable");
  app.add_option("--tls-listen", options.tls, "HOST:PORT for HTTPS; repeatable");
  app.add_option("--cert", options.certificate_file, "PEM chain for HTTPS");
  app.add_option("--key", options.key_file, "PEM key for HTTPS");
  app.add_option("--model", options.models, "Names for GET .../models; any is answered")
      ->capture_default_str();
  app.add_option("--h2-streams", options.http2_streams,
                 "Streams that a connection of HTTP/2 may have open")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads to serve with")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--gone-log", options.gone_log,
                 "File that gets a line 'SEED NANOSECONDS' for each client that left in an answer");
}

int serve(const MockOptions& options) {
  Tally tally;
  if (!options.gone_log.empty()) {
    tally.gone_log = std::fopen(options.gone_log.c_str(), "w");
    if (tally.gone_log == nullptr) die("the gone log cannot be written");
  }
  SSL_CTX* tls = nullptr;
  if (!options.tls.empty()) {
    if (options.certificate_file.empty() || options.key_file.empty()) {
      die("--tls-listen needs --cert and --key");
    }
    tls = server_context(options.certificate_file, options.key_file);
    agree_on_protocol(tls);
  }
  std::vector<ListenAddress> addresses;
  for (const auto& text : options.plain) addresses.push_back(parse_listen_address(text, false));
  for (const auto& text : options.tls) addresses.push_back(parse_listen_address(text, true));

  std::vector<std::unique_ptr<MockServer>> servers;
  for (int i = 0; i < options.threads; ++i) {
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(i);
    servers.push_back(std::make_unique<MockServer>(options, tally, seed));
    for (ListenAddress& address : addresses) {
      servers.back()->add_listener(listen_on(address), address.tls ? tls : nullptr);
    }
  }
  for (const ListenAddress& address : addresses) {
    fmt::print("{}://{}:{}\n", address.tls ? "https" : "http", address.host, address.port);
  }
  std::fflush(stdout);
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < servers.size(); ++i) {
    threads.emplace_back([&server = *servers[i]] { server.run(); });
  }
  servers[0]->run();
}

}  // namespace
}  // namespace leat::tools

int main(int argc, char** argv) {
  leat::tools::MockOptions options;
  double first_token_ms = 0;
  CLI::App app(leat::tools::kAbout);
  leat::tools::add_server_options(app, options);
  leat::tools::add_pace_options(app, options, first_token_ms);
  leat::tools::add_fault_options(app, options);
  CLI11_PARSE(app, argc, argv);
  if (options.plain.empty() && options.tls.empty()) options.plain.push_back("127.0.0.1:9080");
  options.first_token_delay = leat::nanoseconds(static_cast<std::int64_t>(first_token_ms * 1e6));
  std::signal(SIGPIPE, SIG_IGN);
  leat::tools::raise_descriptor_limit();
  return leat::tools::serve(options);
}
