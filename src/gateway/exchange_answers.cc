// SPDX-License-Identifier: Apache-2.0
// The answer as one body, once it is checked.
#include <algorithm>
#include <array>
#include <string>

#include "gateway/client.h"
#include "gateway/exchange.h"
#include "gateway/gateway.h"
#include "proto/json_value.h"

namespace leat::gateway {

using dialect::ErrorKind;
using policy::AnswerEnd;

// Checked before the commit: a 200 may hold an error, nothing, or garbage.
void Exchange::finish_collected() {
  const std::string_view body =
      leg_->collected ? std::string_view(leg_->collected->data(), leg_->collected->size) : "";
  if (kind_ == RequestKind::kEmbeddings) return finish_embeddings(body);
  const dialect::ChatEvent answer = dialect::classify_completion(body);
  if (!accept(answer.kind, answer.error)) return;
  const Metered metered =
      meter_answer(answer.usage, answer.content_bytes,
                   answer.finished > 0 ? AnswerEnd::kFinished : AnswerEnd::kBlank);
  const auto id = proto::json_find(body, "id");
  note_answer(id ? proto::json_raw_string(*id).value_or(std::string_view()) : std::string_view(),
              answer.finish_reason);
  if (face_ == dialect::Face::kOpenAi) {
    write_provider_answer(body, answer.usage, metered);
  } else if (!write_own_answer(body, metered, nullptr)) {
    return failed(ErrorKind::kUpstreamProtocol, dialect::Attempted::kReplied);
  }
  finish_answer(answer.usage);
}

// The provider's own bytes where they are what was asked for.
void Exchange::finish_embeddings(std::string_view body) {
  const dialect::PromptInput& input = request_->input;
  dialect::EmbeddingsAnswer answer = dialect::classify_embeddings(body, input.count);
  if (!accept(answer.kind, answer.error)) return;
  const dialect::ChatUsage told = answer.usage;
  const Metered metered = meter_answer(told, 0, AnswerEnd::kNoReason);
  if (face_ == dialect::Face::kOpenAi && dialect::suits_encoding(answer, input.encoding)) {
    write_provider_answer(body, told, metered);
  } else if (!write_own_answer(body, metered, &answer)) {
    return failed(ErrorKind::kUpstreamProtocol, dialect::Attempted::kReplied);
  }
  finish_answer(told);
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
  gateway_.counters().answers_completed.add();
  succeeded(usage);
  over(true);
}

// The answer in our shape; `vectors`: it is one of embeddings. False: it is not what it was taken
// for.
bool Exchange::write_own_answer(std::string_view body, const Metered& metered,
                                dialect::EmbeddingsAnswer* vectors) {
  const dialect::ChatUsage& usage = metered.measured.usage;
  if (vectors != nullptr) vectors->usage = usage;
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
                                         identity(), metered.cost, out, metadata);
    } else {
      dialect::ChatNormaliser normaliser(identity(), answer_form());
      result = normaliser.write_completion(body, usage, metered.cost, out, metadata);
    }
    if (result == dialect::Normalised::kNoRoom) continue;
    if (result == dialect::Normalised::kWritten && face_ == dialect::Face::kOpenAi) {
      write_provider_answer(out.text(), usage, metered);  // of its own but for the vectors
    } else if (result == dialect::Normalised::kWritten) {
      write_answer(out.text(), metered);
    }
    return result == dialect::Normalised::kWritten;
  }
  return false;
}

// The provider's own bytes, with what they cost if the client wants to know.
void Exchange::write_provider_answer(std::string_view body, const dialect::ChatUsage& usage,
                                     const Metered& metered) {
  if (!wants_cost_ || !metered.cost.is_priced() || !usage.present()) {
    return write_answer(body, metered);
  }
  const std::size_t room = body.size() + dialect::kUsageBytesMax;
  const BlockRef block = Block::allocate(room);
  proto::JsonWriter out({block->data(), room});
  const bool written = dialect::write_with_cost(body, usage, metered.cost, out);
  write_answer(written ? out.text() : body, metered);
}

void Exchange::write_answer(std::string_view body, const Metered& metered) {
  status_ = 200;
  note_content(body);
  settle(metered, ledger::AttemptOutcome::kSucceeded, 200);
  const dialect::LimitFields limits(face_, rate_lines(), now_unix_ms());
  std::array<proto::Field, Client::kFieldsMax> fields{{{"x-generation-id", id_}}};
  std::ranges::copy(limits.fields(), fields.begin() + 1);
  client_->answer(200, "application/json", body,
                  std::span(fields).first(1 + limits.fields().size()));
}

// Too large to be collected: committed unseen, and passed on as it comes (OpenAI face only).
void Exchange::pass_collected_on() {
  leg_->state = Leg::State::kPassing;
  passed_bytes_ = leg_->collected->size;
  const dialect::LimitFields limits(face_, rate_lines(), now_unix_ms());
  client_->begin_body("application/json", id_, limits.fields());
  has_begun_body_ = true;
  status_ = 200;
  const BlockRef begun = std::move(leg_->collected);
  note_content({begun->data(), begun->size});
  client_->write_body({begun->data(), begun->size});
  keep_tail({begun->data(), begun->size});
  release_request();
}

}  // namespace leat::gateway
