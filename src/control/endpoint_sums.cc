// SPDX-License-Identifier: Apache-2.0
#include "control/endpoint_sums.h"

#include <numeric>

#include "policy/terms.h"

namespace leat::control {
namespace {

using gateway::EndpointCounters;
using gateway::TimeHistogram;

void add(const TimeHistogram& from, EndpointSum::Times& to) {
  for (std::size_t i = 0; i < to.counts.size(); ++i) to.counts[i] += from.count(i);
  to.sum_us += from.sum_us();
}

void add(const EndpointCounters& from, EndpointSum& to) {
  for (std::size_t i = 0; i < to.attempts.size(); ++i) to.attempts[i] += from.attempts[i].get();
  add(from.first_token, to.first_token);
  add(from.answer, to.answer);
  add(from.request_first_token, to.request_first_token);
  add(from.request_answer, to.request_answer);
  to.prompt_tokens += from.prompt_tokens.get();
  to.completion_tokens += from.completion_tokens.get();
  to.cost += from.cost_nanodollars.get();
  to.charged += from.charged_nanodollars.get();
  to.acks_delayed += from.acks_delayed.get();
}

}  // namespace

std::uint64_t EndpointSum::asked() const {
  return std::accumulate(attempts.begin(), attempts.end(), 0ULL);
}

void EndpointSum::add(const EndpointSum& other) {
  for (std::size_t i = 0; i < attempts.size(); ++i) attempts[i] += other.attempts[i];
  for (const auto times : {&EndpointSum::first_token, &EndpointSum::answer,
                           &EndpointSum::request_first_token, &EndpointSum::request_answer}) {
    for (std::size_t i = 0; i < first_token.counts.size(); ++i) {
      (this->*times).counts[i] += (other.*times).counts[i];
    }
    (this->*times).sum_us += (other.*times).sum_us;
  }
  for (const auto count : {&EndpointSum::prompt_tokens, &EndpointSum::completion_tokens,
                           &EndpointSum::cost, &EndpointSum::charged, &EndpointSum::acks_delayed}) {
    this->*count += other.*count;
  }
}

EndpointSum sum_of(std::span<const gateway::EndpointCounterTable* const> shards,
                   policy::EndpointId id) {
  EndpointSum sum;
  for (const gateway::EndpointCounterTable* shard : shards) add(shard->at(id), sum);
  return sum;
}

std::string model_name_of(const policy::Catalogue& catalogue, const policy::Endpoint& endpoint) {
  std::string model(catalogue.model(endpoint.model).id);
  if (endpoint.variant) model.append(":").append(policy::name_of(*endpoint.variant));
  return model;
}

}  // namespace leat::control
