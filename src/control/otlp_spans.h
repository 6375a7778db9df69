// SPDX-License-Identifier: Apache-2.0
// Spans of a request that ended, as OTLP's JSON (opentelemetry-proto 1.x, JSON mapping: ids in
// hexadecimal, 64-bit integers as text): one of the request, as an HTTP server has it, and below it
// one for each attempt, by the semantic conventions for generative AI clients. Tokens stand at the
// attempt that answered and nowhere else, since backends sum them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "gateway/request_event.h"
#include "leat/options.h"

namespace leat::control {

class OtlpSpans {
 public:
  // Reads where the providers are; keeps nothing of the options.
  explicit OtlpSpans(const Options& options);

  // Appends the request's spans, joined by commas; their number. REQUIRES: it has a trace.
  std::size_t append(const gateway::RequestEvent& event, std::string& out) const;

  // What stands before and behind the spans of one export.
  std::string head() const;
  static constexpr std::string_view kTail = "]}]}]}";

 private:
  struct Place {
    std::string host;
    std::uint16_t port = 0;
  };
  void append_request(const gateway::RequestEvent& event, std::string& out) const;
  void append_attempt(const gateway::RequestEvent& event, std::size_t index, bool has_answered,
                      std::string& out) const;

  std::string service_name_;
  std::map<std::string, Place, std::less<>> places_;  // by provider
};

}  // namespace leat::control
