// SPDX-License-Identifier: Apache-2.0
// The answer as one body, once it is checked.
#include <string>

#include "gateway/client_conn.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"

namespace leat::gateway {

using dialect::ErrorKind;

// Checked before the commit: a 200 may hold an error, nothing, or garbage.
void Exchange::finish_collected() {
  const std::string_view body =
      collected_ ? std::string_view(collected_->data(), collected_->size) : "";
  const dialect::ChatEvent answer = dialect::classify_completion(body);
  if (answer.kind == dialect::ChatKind::kError) {
    dialect::ProviderFailure failure;
    dialect::read_failure(answer.error, failure);
    return provider_failed(failure);
  }
  if (streams_ || !answer.is_content()) {
    gateway_.counters().upstream_failures.add();
    const bool is_empty = answer.kind == dialect::ChatKind::kEmpty;
    return failed(is_empty ? ErrorKind::kProviderUnavailable : ErrorKind::kUpstreamProtocol,
                  dialect::Attempted::kReplied);
  }
  count_usage(answer.usage);
  if (face_ == dialect::Face::kOpenAi) {
    write_answer(body);
  } else {
    if (!write_normalised_answer(body, answer.usage)) {
      return failed(ErrorKind::kUpstreamProtocol, dialect::Attempted::kReplied);
    }
  }
  gateway_.counters().answers_completed.add();
  succeeded(answer.usage);
  over(true);
}

// False: the answer is not what it was taken for.
bool Exchange::write_normalised_answer(std::string_view body, const dialect::ChatUsage& usage) {
  dialect::RouterMetadata metadata;
  if (trace_ != nullptr) metadata = trace_->metadata(gateway_.shard().now());
  const std::size_t extra = trace_ != nullptr ? dialect::kMetadataBytesMax : 0;
  for (const std::size_t room : {dialect::normalised_size_usual(body.size()) + extra,
                                 dialect::normalised_size_max(body.size()) + extra}) {
    const BlockRef block = Block::allocate(room);
    proto::JsonWriter out({block->data(), room});
    dialect::ChatNormaliser normaliser(identity());
    const dialect::Normalised result =
        normaliser.write_completion(body, usage, {}, out, trace_ != nullptr ? &metadata : nullptr);
    if (result == dialect::Normalised::kNoRoom) continue;
    if (result == dialect::Normalised::kWritten) write_answer(out.text());
    return result == dialect::Normalised::kWritten;
  }
  return false;
}

void Exchange::write_answer(std::string_view body) {
  const proto::Field fields[] = {{"x-generation-id", id_}};
  client_->answer(200, "application/json", body, fields);
}

// Too large to be collected: committed unseen, and passed on as it comes (OpenAI face only).
void Exchange::pass_collected_on() {
  state_ = State::kPassing;
  passed_bytes_ = collected_->size;
  client_->begin_body("application/json", id_);
  client_->write_body({collected_->data(), collected_->size});
  collected_.reset();
  release_request();
}

}  // namespace leat::gateway
