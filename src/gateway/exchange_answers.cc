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
      leg_->collected ? std::string_view(leg_->collected->data(), leg_->collected->size) : "";
  if (kind_ == RequestKind::kEmbeddings) return finish_embeddings(body);
  const dialect::ChatEvent answer = dialect::classify_completion(body);
  if (!accept(answer.kind, answer.error)) return;
  if (face_ == dialect::Face::kOpenAi) {
    write_answer(body);
  } else if (!write_own_answer(body, answer.usage, nullptr)) {
    return failed(ErrorKind::kUpstreamProtocol, dialect::Attempted::kReplied);
  }
  finish_answer(answer.usage);
}

// The provider's own bytes where they are what was asked for.
void Exchange::finish_embeddings(std::string_view body) {
  const dialect::PromptInput& input = request_->input;
  const dialect::EmbeddingsAnswer answer = dialect::classify_embeddings(body, input.count);
  if (!accept(answer.kind, answer.error)) return;
  if (face_ == dialect::Face::kOpenAi && dialect::suits_encoding(answer, input.encoding)) {
    write_answer(body);
  } else if (!write_own_answer(body, answer.usage, &answer)) {
    return failed(ErrorKind::kUpstreamProtocol, dialect::Attempted::kReplied);
  }
  finish_answer(answer.usage);
}

// False: it is no answer, and what follows from that has happened.
bool Exchange::accept(dialect::ChatKind kind, const dialect::ChatError& error) {
  if (kind == dialect::ChatKind::kError) {
    dialect::ProviderFailure failure;
    dialect::read_failure(error, failure);
    provider_failed(failure);
    return false;
  }
  const bool is_content = kind == dialect::ChatKind::kContent || kind == dialect::ChatKind::kFinish;
  if (is_content && !streams_) return true;
  gateway_.counters().upstream_failures.add();
  const bool is_empty = kind == dialect::ChatKind::kEmpty;
  failed(is_empty ? ErrorKind::kProviderUnavailable : ErrorKind::kUpstreamProtocol,
         dialect::Attempted::kReplied);
  return false;
}

void Exchange::finish_answer(const dialect::ChatUsage& usage) {
  count_usage(usage);
  gateway_.counters().answers_completed.add();
  succeeded(usage);
  over(true);
}

// The answer in our shape; `vectors`: it is one of embeddings. False: it is not what it was taken
// for.
bool Exchange::write_own_answer(std::string_view body, const dialect::ChatUsage& usage,
                                const dialect::EmbeddingsAnswer* vectors) {
  dialect::RouterMetadata told;
  const dialect::RouterMetadata* metadata = nullptr;
  if (trace_ != nullptr) {
    told = trace_->metadata(gateway_.shard().now());
    metadata = &told;
  }
  const std::size_t extra = metadata != nullptr ? dialect::kMetadataBytesMax : 0;
  const std::size_t most = vectors != nullptr ? dialect::embeddings_size_max(body.size())
                                              : dialect::normalised_size_max(body.size());
  for (const std::size_t room :
       {dialect::normalised_size_usual(body.size()) + extra, most + extra}) {
    const BlockRef block = Block::allocate(room);
    proto::JsonWriter out({block->data(), room});
    dialect::Normalised result;
    if (vectors != nullptr) {
      result = dialect::write_embeddings(face_, body, *vectors, request_->input.encoding,
                                         identity(), {}, out, metadata);
    } else {
      dialect::ChatNormaliser normaliser(identity(), answer_form());
      result = normaliser.write_completion(body, usage, {}, out, metadata);
    }
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
  leg_->state = Leg::State::kPassing;
  passed_bytes_ = leg_->collected->size;
  client_->begin_body("application/json", id_);
  client_->write_body({leg_->collected->data(), leg_->collected->size});
  leg_->collected.reset();
  release_request();
}

}  // namespace leat::gateway
