// SPDX-License-Identifier: Apache-2.0
#include "control/planned_shares.h"

#include "control/listing_json.h"

namespace leat::control {

std::map<policy::EndpointId, double> planned_shares(const std::set<std::string>& models,
                                                    const ExplainInput& input, Rng& rng) {
  std::map<policy::EndpointId, double> shares;
  for (const std::string& model : models) {
    const std::string body =
        R"({"model":)" + json_text(model) + R"(,"messages":[{"role":"user","content":"Hello"}]})";
    const Explanation explanation = explain(body, input, rng);
    if (explanation.refusal) continue;
    // Without a draw the first is always first.
    bool is_first = true;
    const bool is_drawn =
        !explanation.candidates.empty() && explanation.candidates.front().first_chance > 0;
    for (const Explanation::Candidate& candidate : explanation.candidates) {
      shares[candidate.endpoint.id] =
          is_drawn ? candidate.first_chance : static_cast<double>(is_first);
      is_first = false;
    }
  }
  return shares;
}

}  // namespace leat::control
