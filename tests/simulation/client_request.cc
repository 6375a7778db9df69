// SPDX-License-Identifier: Apache-2.0
#include "simulation/client_request.h"

#include <cstdio>
#include <iterator>

namespace leat::sim {

RequestRecord& new_request(World& world, RequestBook& book, const ClientOptions& options) {
  Rng& rng = world.rng();
  char nonce[kNonceSize + 1];
  std::snprintf(nonce, sizeof nonce, "nonce-%016llx", static_cast<unsigned long long>(rng.next()));
  RequestRecord& record = book.add(nonce);
  record.openrouter_face = rng.chance(0.5);
  record.stream = rng.chance(0.75);
  record.wants_usage = rng.chance(0.5);
  record.model = static_cast<std::uint32_t>(rng.below(options.models));
  if (rng.chance(0.06)) {
    constexpr int kStatuses[] = {401, 404, 405};
    record.expected_status = kStatuses[rng.below(std::size(kStatuses))];
  }
  return record;
}

std::string body_of(World& world, RequestRecord& record) {
  Rng& rng = world.rng();
  record.prompt = record.nonce;
  const std::int64_t filler = rng.chance(0.05)  ? rng.between(20'000, 150'000)
                              : rng.chance(0.2) ? rng.between(1'000, 6'000)
                                                : rng.between(0, 200);
  for (std::int64_t i = 0; i < filler; ++i) {
    record.prompt += static_cast<char>('a' + (i * i + i / 7) % 26);
  }
  std::string body = "{";
  if (rng.chance(0.3)) body += "\"route\":\"fallback\",";
  body += record.expected_status == 404 ? "\"model\":\"none-" : "\"model\":\"m";
  body += std::to_string(record.model) + "\",";
  if (rng.chance(0.5)) body += "\"temperature\":0.25,";
  body += "\"messages\":[";
  // Re-spelt for the provider at a host that is known (provider_host()).
  if (rng.chance(0.2)) {
    body += R"({"role":"assistant","content":"earlier","reasoning":"thought"},)";
  }
  body += "{\"role\":\"user\",\"content\":\"" + record.prompt + "\"}]";
  if (record.stream) body += ",\"stream\":true";
  if (record.stream && record.wants_usage) body += ",\"stream_options\":{\"include_usage\":true}";
  return body + "}";
}

}  // namespace leat::sim
