// SPDX-License-Identifier: Apache-2.0
#include "gateway/content_record.h"

#include <array>
#include <cstring>
#include <type_traits>

namespace leat::gateway {

namespace {

constexpr std::size_t kTexts = 11;

// The texts follow, one behind the other; as it lies in memory: the reader is the same program.
struct Fixed {
  WallTime began;
  std::array<std::uint32_t, kTexts> sizes;
  std::uint16_t status;
  bool is_streamed;
  bool is_cancelled;
  bool is_request_cut;
  bool is_answer_cut;
};
static_assert(std::is_trivially_copyable_v<Fixed>);

// All of them, in the order in which they lie.
template <class Record>
auto texts_of(Record& record) {
  return std::array{&record.generation_id, &record.request_id,    &record.key,
                    &record.api,           &record.model_asked,   &record.model_served,
                    &record.provider,      &record.finish_reason, &record.error_type,
                    &record.request.json,  &record.answer.json};
}

}  // namespace

std::size_t encoded_size(const ContentRecord& record) {
  std::size_t size = sizeof(Fixed);
  for (const std::string_view* text : texts_of(record)) size += text->size();
  return size;
}

void encode(const ContentRecord& record, std::span<char> out) {
  Fixed fixed{};
  fixed.began = record.began;
  fixed.status = record.status;
  fixed.is_streamed = record.is_streamed;
  fixed.is_cancelled = record.is_cancelled;
  fixed.is_request_cut = record.request.is_cut;
  fixed.is_answer_cut = record.answer.is_cut;
  std::size_t at = sizeof fixed;
  const auto texts = texts_of(record);
  for (std::size_t i = 0; i < kTexts; ++i) {
    fixed.sizes[i] = static_cast<std::uint32_t>(texts[i]->size());
    texts[i]->copy(out.data() + at, texts[i]->size());
    at += texts[i]->size();
  }
  std::memcpy(out.data(), &fixed, sizeof fixed);
}

Result<ContentRecord> decode_content(std::span<const char> bytes) {
  const auto invalid = fail({.code = Code::kInvalid, .what = "is no record of content"});
  Fixed fixed;
  if (bytes.size() < sizeof fixed) return invalid;
  std::memcpy(&fixed, bytes.data(), sizeof fixed);
  ContentRecord record;
  record.began = fixed.began;
  record.status = fixed.status;
  record.is_streamed = fixed.is_streamed;
  record.is_cancelled = fixed.is_cancelled;
  record.request.is_cut = fixed.is_request_cut;
  record.answer.is_cut = fixed.is_answer_cut;
  std::size_t at = sizeof fixed;
  const auto texts = texts_of(record);
  for (std::size_t i = 0; i < kTexts; ++i) {
    if (fixed.sizes[i] > bytes.size() - at) return invalid;
    *texts[i] = {bytes.data() + at, fixed.sizes[i]};
    at += fixed.sizes[i];
  }
  if (at != bytes.size()) return invalid;
  return record;
}

}  // namespace leat::gateway
