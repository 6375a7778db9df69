// SPDX-License-Identifier: Apache-2.0
#include "load/results.h"

#include <fmt/format.h>

#include <numeric>

#include "wire/json.h"

namespace leat::tools {
namespace {

constexpr std::array<std::pair<const char*, double>, 5> kPercentiles = {
    {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1.0}}};

double ratio(double a, double b) {
  return b == 0 ? 0 : a / b;
}

std::string percentile_line(const char* name, const Histogram& histogram) {
  std::string line = fmt::format("{:<12}", name);
  for (const auto& [label, share] : kPercentiles) {
    const double us = static_cast<double>(histogram.percentile(share)) / 1e3;
    line += fmt::format("  {} {:>9.1f}", label, us);
  }
  return line + fmt::format("  us  ({} samples)\n", histogram.count());
}

std::string percentile_object(const Histogram& histogram) {
  std::string object = fmt::format(R"({{"count":{})", histogram.count());
  for (const auto& [label, share] : kPercentiles) {
    const double us = static_cast<double>(histogram.percentile(share)) / 1e3;
    object += fmt::format(R"(,"{}":{:.1f})", label, us);
  }
  return object + "}";
}

const char* mode_of(const LoadOptions& options) {
  if (options.idle) return "idle";
  return options.rate > 0 ? "open" : "closed";
}

}  // namespace

const char* phase_name(AbortPhase phase) {
  static constexpr std::array<const char*, static_cast<std::size_t>(AbortPhase::kPhases)> kNames = {
      "none", "request_half", "request_sent", "head", "first_token", "middle", "last_token"};
  return kNames[static_cast<std::size_t>(phase)];
}

std::uint64_t Results::errors() const {
  return std::accumulate(faults.begin(), faults.end(), std::uint64_t{0});
}

std::string Results::to_text(const LoadOptions& options) const {
  std::string text = fmt::format(
      "{} loop, {} connections{}, {} keys by connection, {} source addresses, window {:.1f} s\n",
      mode_of(options), options.connections,
      options.rate > 0 ? fmt::format(", {:.0f} requests/s", options.rate) : "", options.keys.size(),
      options.sources, window_s);
  text += fmt::format("answers     {} ({:.1f}/s)\n", answers,
                      ratio(static_cast<double>(answers), window_s));
  text += fmt::format("tokens      {} ({:.1f}/s), each checked\n", tokens,
                      ratio(static_cast<double>(tokens), window_s));
  text += percentile_line("total", total);
  text += percentile_line("first byte", first_byte);
  if (options.stream) {
    text += percentile_line("first token", first_token);
    text += percentile_line("gap", gap);
  }
  for (const ProcessUse& use : processes) {
    const auto cpu = static_cast<double>(use.cpu_ns);
    text += fmt::format(
        "process {}  {:.1f} % of a core, {:.2f} us/answer, {:.0f} ns/token, "
        "PSS {} KiB before, {} KiB at the end\n",
        use.pid, 100 * ratio(cpu, window_s * 1e9), ratio(cpu / 1e3, static_cast<double>(answers)),
        ratio(cpu, static_cast<double>(tokens)), use.before.pss_kib, use.after.pss_kib);
  }
  for (const CoreUse& use : cores) {
    text += fmt::format("core {}      {:.1f} % busy\n", use.core, 100 * use.busy);
  }
  const double own = ratio(static_cast<double>(own_cpu_ns), window_s * 1e9);
  text += fmt::format("leat-load   {:.1f} % of a core{}\n", 100 * own,
                      own > 0.9 ? ": THE LOAD GENERATOR WAS THE LIMIT" : "");
  text += fmt::format("whole run   {} answers right, {} connects, {} under way at the end\n",
                      checked, connects, unfinished);
  for (std::size_t i = 1; i < aborts.size(); ++i) {
    if (aborts[i] == 0) continue;
    text +=
        fmt::format("aborted     {} at {}\n", aborts[i], phase_name(static_cast<AbortPhase>(i)));
  }
  text += fmt::format("errors      {}\n", errors());
  for (std::size_t i = 1; i < faults.size(); ++i) {
    if (faults[i] == 0) continue;
    text += fmt::format("  {:<14}{}\n", fault_name(static_cast<Fault>(i)), faults[i]);
  }
  for (const auto& [status, count] : statuses) text += fmt::format("    {}  {}\n", status, count);
  return text;
}

std::string Results::to_json(const LoadOptions& options) const {
  std::string json = fmt::format(
      R"({{"url":{},"mode":"{}","connections":{},"rate":{},"stream":{},"keys":{},"sources":{},)"
      R"("window_s":{:.3f},"answers":{},"tokens":{},"checked":{},"connects":{},"unfinished":{},)"
      R"("backlog_max":{},"open_connections":{},"errors_total":{},)",
      json_text(options.url), mode_of(options), options.connections, options.rate, options.stream,
      options.keys.size(), options.sources, window_s, answers, tokens, checked, connects,
      unfinished, backlog_max, open_connections, errors());
  json += R"("errors":{)";
  for (std::size_t i = 1; i < faults.size(); ++i) {
    json +=
        fmt::format(R"({}"{}":{})", i > 1 ? "," : "", fault_name(static_cast<Fault>(i)), faults[i]);
  }
  json += R"(},"statuses":{)";
  for (const auto& [status, count] : statuses) {
    json += fmt::format(R"({}"{}":{})", json.back() == '{' ? "" : ",", status, count);
  }
  json += R"(},"aborted":{)";
  for (std::size_t i = 1; i < aborts.size(); ++i) {
    json += fmt::format(R"({}"{}":{})", i > 1 ? "," : "", phase_name(static_cast<AbortPhase>(i)),
                        aborts[i]);
  }
  json += fmt::format(
      R"(}},"latency_us":{{"total":{},"refused":{},"first_byte":{},"first_token":{},)"
      R"("gap":{}}},)",
      percentile_object(total), percentile_object(refused), percentile_object(first_byte),
      percentile_object(first_token), percentile_object(gap));
  json += R"("processes":[)";
  for (const ProcessUse& use : processes) {
    json +=
        fmt::format(R"({}{{"pid":{},"cpu_ns":{},"us_per_answer":{:.3f},"ns_per_token":{:.1f},)"
                    R"("rss_kib_before":{},"pss_kib_before":{},"rss_kib":{},"pss_kib":{}}})",
                    json.back() == '[' ? "" : ",", use.pid, use.cpu_ns,
                    ratio(static_cast<double>(use.cpu_ns) / 1e3, static_cast<double>(answers)),
                    ratio(static_cast<double>(use.cpu_ns), static_cast<double>(tokens)),
                    use.before.rss_kib, use.before.pss_kib, use.after.rss_kib, use.after.pss_kib);
  }
  json += R"(],"cores":[)";
  for (const CoreUse& use : cores) {
    json += fmt::format(R"({}{{"core":{},"busy":{:.4f}}})", json.back() == '[' ? "" : ",", use.core,
                        use.busy);
  }
  return json + fmt::format(R"(],"own_cpu_share":{:.4f}}})",
                            ratio(static_cast<double>(own_cpu_ns), window_s * 1e9));
}

}  // namespace leat::tools
