// SPDX-License-Identifier: Apache-2.0
#include "dialect/embeddings.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "proto/json_scan.h"
#include "proto/json_value.h"

namespace leat::dialect {

namespace {

using proto::JsonCursor;
using proto::JsonWriter;
using proto::key_is;

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t kNoDigit = 0xff;

constexpr std::array<std::uint8_t, 256> make_digits() {
  std::array<std::uint8_t, 256> digits{};
  for (auto& digit : digits) digit = kNoDigit;
  for (std::uint8_t i = 0; i < 64; ++i) digits[static_cast<unsigned char>(kAlphabet[i])] = i;
  return digits;
}
constexpr std::array<std::uint8_t, 256> kDigits = make_digits();

std::string_view without_padding(std::string_view text) {
  for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  return text;
}

// Base64 of whole 32-bit words, at least one. JSON may escape its slashes; none that we know does.
bool is_base64_vector(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return false;
  const std::string_view digits = without_padding(text);
  for (const char c : digits) {
    if (kDigits[static_cast<unsigned char>(c)] == kNoDigit) return false;
  }
  const std::size_t bytes = digits.size() * 6 / 8;
  return bytes != 0 && bytes % 4 == 0;
}

// Numbers only, at least one.
bool is_float_vector(std::string_view list) {
  proto::JsonElements elements(list);
  std::string_view element;
  bool any = false;
  while (elements.next(element)) {
    any = true;
    if (proto::json_type(element) != proto::JsonType::kNumber) return false;
  }
  return any;
}

float read_float(std::string_view number) {
  float value = 0;
  const auto result = std::from_chars(number.data(), number.data() + number.size(), value);
  // Beyond what 32 bits hold: from_chars leaves the value as it was.
  if (result.ec == std::errc::result_out_of_range) {
    const double wide = proto::json_double(number).value_or(0);
    value = std::abs(wide) < 1 ? 0.0F : std::copysign(3.4028235e38F, static_cast<float>(wide));
  }
  return value;
}

void write_base64(std::string_view list, JsonWriter& out) {
  out.raw("\"");
  proto::JsonElements elements(list);
  std::string_view element;
  std::uint64_t bits = 0;  // the last `size` of them are yet to be written
  unsigned size = 0;
  const auto put = [&out](std::uint64_t digit) { out.raw({&kAlphabet[digit & 63], 1}); };
  while (elements.next(element)) {
    const auto word = std::bit_cast<std::uint32_t>(read_float(element));
    // Little-endian bytes, most significant bit first.
    bits = bits << 32 | __builtin_bswap32(word);
    size += 32;
    while (size >= 6) put(bits >> (size -= 6));
  }
  if (size != 0) put(bits << (6 - size));
  if (size == 2) out.raw("==");
  if (size == 4) out.raw("=");
  out.raw("\"");
}

void write_floats(std::string_view text, JsonWriter& out) {
  out.raw("[");
  std::uint64_t bits = 0;
  unsigned size = 0;
  bool first = true;
  for (const char c : without_padding(text)) {
    bits = bits << 6 | kDigits[static_cast<unsigned char>(c)];
    size += 6;
    if (size < 32) continue;
    size -= 32;
    const auto word = __builtin_bswap32(static_cast<std::uint32_t>(bits >> size));
    const float value = std::bit_cast<float>(word);
    std::array<char, 32> digits;
    // JSON knows no infinity.
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                   std::isfinite(value) ? value : 0.0F)
                         .ptr;
    if (!first) out.raw(",");
    first = false;
    out.raw({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  out.raw("]");
}

void read_vector(std::string_view entry, EmbeddingsAnswer& answer, bool& all_good) {
  const auto vector = proto::json_find(entry, "embedding");
  ++answer.count;
  if (!vector || vector->empty()) {
    all_good = false;
  } else if (vector->front() == '[' && is_float_vector(*vector)) {
    answer.has_floats = true;
  } else if (vector->front() == '"' && is_base64_vector(vector->substr(1, vector->size() - 2))) {
    answer.has_base64 = true;
  } else {
    all_good = false;
  }
}

void write_entry(std::string_view entry, EncodingFormat asked, std::int64_t ordinal,
                 JsonWriter& out) {
  const auto index = proto::json_find(entry, "index");
  const auto place = index ? proto::json_integer(*index, 0, kInputsMax) : std::nullopt;
  out.raw("{\"object\":\"embedding\",\"index\":");
  out.integer(place.value_or(ordinal));
  out.raw(",\"embedding\":");
  const std::string_view vector = proto::json_find(entry, "embedding").value_or("[]");
  const bool is_list = vector.front() == '[';
  if (is_list && asked == EncodingFormat::kBase64) {
    write_base64(vector, out);
  } else if (!is_list && asked != EncodingFormat::kBase64) {
    write_floats(vector.substr(1, vector.size() - 2), out);
  } else {
    out.raw(vector);
  }
  out.raw("}");
}

void write_data(std::string_view data, EncodingFormat asked, JsonWriter& out) {
  out.raw("[");
  proto::JsonElements elements(data);
  std::string_view entry;
  for (std::int64_t ordinal = 0; elements.next(entry); ++ordinal) {
    if (ordinal != 0) out.raw(",");
    write_entry(entry, asked, ordinal, out);
  }
  out.raw("]");
}

bool is_ours(std::string_view key) {
  return key_is(key, "object") || key_is(key, "id") || key_is(key, "provider") ||
         key_is(key, "model") || key_is(key, "usage") || key_is(key, "openrouter_metadata");
}

}  // namespace

EmbeddingsAnswer classify_embeddings(std::string_view body, std::uint32_t expected) {
  EmbeddingsAnswer answer;
  // The strict check, and whatever error it says, are those of any answer.
  const ChatEvent event = classify_completion(body);
  if (event.kind == ChatKind::kInvalid) return answer;
  answer.kind = event.kind == ChatKind::kError ? ChatKind::kError : ChatKind::kEmpty;
  answer.error = event.error;
  answer.usage = event.usage;
  // Voyage says no more than the total, and there is nothing but the prompt.
  if (answer.usage.prompt == ChatUsage::kAbsent) answer.usage.prompt = answer.usage.total;
  const auto data = proto::json_find(body, "data");
  if (answer.kind == ChatKind::kError || !data || data->front() != '[') return answer;
  proto::JsonElements elements(*data);
  std::string_view entry;
  bool all_good = true;
  while (elements.next(entry)) read_vector(entry, answer, all_good);
  const bool is_whole = expected == 0 || answer.count == expected;
  if (all_good && answer.count != 0 && is_whole) answer.kind = ChatKind::kContent;
  return answer;
}

bool suits_encoding(const EmbeddingsAnswer& answer, EncodingFormat asked) {
  return asked == EncodingFormat::kBase64 ? !answer.has_floats : !answer.has_base64;
}

Normalised write_embeddings(Face face, std::string_view body, const EmbeddingsAnswer& answer,
                            EncodingFormat asked, const ChatIdentity& identity,
                            const UsageCost& cost, JsonWriter& out,
                            const RouterMetadata* metadata) {
  const std::size_t before = out.size();
  const bool is_openrouter = face == Face::kOpenRouter;
  JsonCursor at(body);
  if (!at.enter('{')) return Normalised::kInvalid;
  out.raw("{\"object\":\"list\"");
  if (is_openrouter) {
    out.raw(",\"id\":");
    out.string(identity.id);
    out.raw(",\"provider\":");
    out.string(identity.provider);
    out.raw(",\"model\":");
    out.string(identity.model);
  }
  std::string_view key;
  for (bool first = true; at.next_key(first, key);) {
    const std::string_view value = at.skip();
    if (key_is(key, "object") || (is_openrouter && is_ours(key))) continue;
    out.raw(",\"");
    out.raw(key);
    out.raw("\":");
    if (key_is(key, "data")) {
      write_data(value, asked, out);
    } else {
      out.raw(value);
    }
  }
  if (is_openrouter && answer.usage.present()) {
    out.raw(",\"usage\":");
    write_usage(answer.usage, cost, out);
  }
  if (is_openrouter && metadata != nullptr) {
    out.raw(",\"openrouter_metadata\":");
    write_router_metadata(*metadata, out);
  }
  out.raw("}");
  if (at.ok() && !out.overflowed()) return Normalised::kWritten;
  const bool is_malformed = !at.ok();
  out.rewind(before);
  return is_malformed ? Normalised::kInvalid : Normalised::kNoRoom;
}

}  // namespace leat::dialect
