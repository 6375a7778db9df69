// SPDX-License-Identifier: Apache-2.0
#include "proto/json_scan.h"

#include <cstdint>

#include "proto/string_scan.h"
#include "proto/utf8.h"

namespace leat::proto {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// The value of four hex digits, or -1.
int hex4(const char* at) {
  int value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = at[i];
    const char lower = static_cast<char>(c | 0x20);
    int digit;
    if (is_digit(c)) {
      digit = c - '0';
    } else if (lower >= 'a' && lower <= 'f') {
      digit = lower - 'a' + 10;
    } else {
      return -1;
    }
    value = value << 4 | digit;
  }
  return value;
}

}  // namespace

JsonStatus JsonScanner::scan(std::string_view whole, bool final) {
  if (fault_.kind != JsonFaultKind::kNone) return JsonStatus::kFault;
  Run run{whole.data(), whole.data() + offset_, whole.data() + whole.size(), final};
  Step taken = Step::kGo;
  if (whole.size() > limits_.body_bytes_max) {
    taken = fail(run, JsonFaultKind::kTooComplex, "the body is too large");
  }
  while (taken == Step::kGo) taken = step(run);
  if (!judge_utf8(run, taken)) taken = Step::kFault;
  if (taken == Step::kFault) return JsonStatus::kFault;
  offset_ = static_cast<std::uint32_t>(run.at - run.begin);
  return final ? JsonStatus::kDone : JsonStatus::kMore;
}

// Bytes of this call that were read, as UTF-8. Of two faults the first in the body is the one that
// counts, wherever the pieces of the body end.
bool JsonScanner::judge_utf8(const Run& run, Step taken) {
  const std::string_view fresh(run.begin + judged_,
                               static_cast<std::size_t>(run.at - run.begin) - judged_);
  const bool is_last = run.final || taken == Step::kFault;
  const std::size_t size = is_last ? fresh.size() : utf8_whole_size(fresh);
  const std::size_t good = utf8_fault(fresh.substr(0, size));
  judged_ += static_cast<std::uint32_t>(good);
  if (good == size) return true;
  fault_ = {JsonFaultKind::kInvalidUtf8, judged_, "not UTF-8", {}};
  return false;
}

JsonScanner::Step JsonScanner::step(Run& run) {
  if (state_ == State::kInString || state_ == State::kInKey) return string_bytes(run);
  while (run.at != run.end && is_space(*run.at)) ++run.at;
  if (run.at == run.end) return state_ == State::kEnd ? Step::kMore : starve(run);
  switch (state_) {
    case State::kStart:
      return start(run);
    case State::kFirstKey:
      return key(run, true);
    case State::kKey:
      return key(run, false);
    case State::kColon:
      if (*run.at != ':') return fail(run, JsonFaultKind::kInvalidJson, "a colon is missing");
      ++run.at;
      state_ = State::kValue;
      return Step::kGo;
    case State::kFirstValue:
      if (*run.at == ']') return close(run, ']');
      return value(run);
    case State::kValue:
      return value(run);
    case State::kAfterValue:
      return after_value(run);
    default:
      return fail(run, JsonFaultKind::kInvalidJson, "bytes after the object");
  }
}

JsonScanner::Step JsonScanner::start(Run& run) {
  if (*run.at != '{') {
    return fail(run, JsonFaultKind::kInvalidJson, "the body must be a JSON object");
  }
  object_begin_ = static_cast<std::uint32_t>(run.at - run.begin);
  return open(run, true);
}

JsonScanner::Step JsonScanner::key(Run& run, bool may_close) {
  if (*run.at == '}' && may_close) return close(run, '}');
  if (*run.at != '"') return fail(run, JsonFaultKind::kInvalidJson, "a key is missing");
  if (++members_[depth_] > limits_.keys_max) {
    return fail(run, JsonFaultKind::kTooComplex, "an object has too many keys");
  }
  token_begin_ = static_cast<std::uint32_t>(run.at - run.begin);
  escaped_ = false;
  ++run.at;
  state_ = State::kInKey;
  return count_token(run) == Step::kGo ? string_bytes(run) : Step::kFault;
}

JsonScanner::Step JsonScanner::value(Run& run) {
  if (depth_ == 1) top_value_begin_ = static_cast<std::uint32_t>(run.at - run.begin);
  switch (*run.at) {
    case '"':
      token_begin_ = static_cast<std::uint32_t>(run.at - run.begin);
      escaped_ = false;
      ++run.at;
      state_ = State::kInString;
      return count_token(run) == Step::kGo ? string_bytes(run) : Step::kFault;
    case '{':
      return open(run, true);
    case '[':
      return open(run, false);
    case 't':
      return literal(run, "true", JsonType::kTrue);
    case 'f':
      return literal(run, "false", JsonType::kFalse);
    case 'n':
      return literal(run, "null", JsonType::kNull);
    default:
      return number(run);
  }
}

JsonScanner::Step JsonScanner::after_value(Run& run) {
  const bool object = in_object();
  if (*run.at == ',') {
    ++run.at;
    state_ = object ? State::kKey : State::kValue;
    return Step::kGo;
  }
  if (*run.at == (object ? '}' : ']')) return close(run, *run.at);
  return fail(run, JsonFaultKind::kInvalidJson, "a comma or a closing bracket is missing");
}

JsonScanner::Step JsonScanner::open(Run& run, bool is_object) {
  if (depth_ == limits_.depth_max || depth_ == kDepthMax) {
    return fail(run, JsonFaultKind::kTooComplex, "nested too deep");
  }
  ++depth_;
  const std::uint64_t bit = std::uint64_t{1} << (depth_ % 64);
  std::uint64_t& word = object_bits_[depth_ / 64];
  word = is_object ? word | bit : word & ~bit;
  members_[depth_] = 0;
  ++run.at;
  state_ = is_object ? State::kFirstKey : State::kFirstValue;
  return count_token(run);
}

JsonScanner::Step JsonScanner::close(Run& run, char bracket) {
  if (--depth_ == 0) {
    object_end_ = static_cast<std::uint32_t>(run.at - run.begin);
    ++run.at;
    state_ = State::kEnd;
    return Step::kGo;
  }
  ++run.at;
  value_done(run, bracket == '}' ? JsonType::kObject : JsonType::kArray);
  return Step::kGo;
}

JsonScanner::Step JsonScanner::literal(Run& run, std::string_view text, JsonType type) {
  const std::string_view left(run.at, static_cast<std::size_t>(run.end - run.at));
  if (!left.starts_with(text)) {
    if (text.starts_with(left)) return starve(run);
    return fail(run, JsonFaultKind::kInvalidJson, "not a JSON value");
  }
  run.at += text.size();
  value_done(run, type);
  return count_token(run);
}

// Reads the number whole; one that may go on in bytes to come is read again from its start, which
// number_bytes_max bounds.
JsonScanner::Step JsonScanner::number(Run& run) {
  const char* at = run.at;
  const auto digits = [&] {
    const char* begin = at;
    while (at != run.end && is_digit(*at)) ++at;
    return at != begin;
  };
  const auto here = [&](char c) { return at != run.end && *at == c; };
  bool ok = true;
  if (here('-')) ++at;
  if (here('0')) {
    ++at;
  } else {
    ok = digits();
  }
  if (ok && here('.')) {
    ++at;
    ok = digits();
  }
  if (ok && (here('e') || here('E'))) {
    ++at;
    if (here('+') || here('-')) ++at;
    ok = digits();
  }
  if (static_cast<std::uint64_t>(at - run.at) > limits_.number_bytes_max) {
    return fail(run, JsonFaultKind::kTooComplex, "a number is too long");
  }
  if (at == run.end) return starve(run);
  if (!ok) return fail(run, JsonFaultKind::kInvalidJson, "not a JSON value");
  run.at = at;
  value_done(run, JsonType::kNumber);
  return count_token(run);
}

// Stands before a byte that is still to be read, never within an escape, so that going on with more
// bytes needs no state but the position.
JsonScanner::Step JsonScanner::string_bytes(Run& run) {
  for (;;) {
    run.at = string_stop(run.at, run.end, escaped_);
    if (run.at == run.end) return starve(run);
    if (*run.at == '"') {
      ++run.at;
      return finish_string(run);
    }
    if (*run.at != '\\') {
      return fail(run, JsonFaultKind::kInvalidJson, "a control character in a string");
    }
    if (const Step taken = escape(run); taken != Step::kGo) return taken;
  }
}

JsonScanner::Step JsonScanner::finish_string(Run& run) {
  if (state_ == State::kInString) {
    value_done(run, JsonType::kString);
    return Step::kGo;
  }
  state_ = State::kColon;
  if (depth_ == 1 && take_key(run) == Step::kFault) return Step::kFault;
  // The colon nearly always follows at once.
  if (run.at != run.end && *run.at == ':') {
    ++run.at;
    state_ = State::kValue;
  }
  return Step::kGo;
}

JsonScanner::Step JsonScanner::escape(Run& run) {
  escaped_ = true;
  const std::ptrdiff_t left = run.end - run.at;
  if (left < 2) return starve(run);
  if (run.at[1] != 'u') {
    if (!is_short_escape(run.at[1])) {
      return fail(run, JsonFaultKind::kInvalidJson, "an unknown escape");
    }
    run.at += 2;
    return Step::kGo;
  }
  if (left < 6) return starve(run);
  const int unit = hex4(run.at + 2);
  if (unit < 0) return fail(run, JsonFaultKind::kInvalidJson, "an escape without hex digits");
  if (unit < 0xd800 || unit > 0xdfff) {
    run.at += 6;
    return Step::kGo;
  }
  // A high half: what of its low half has come must look like one.
  const std::string_view low(run.at + 6, static_cast<std::size_t>(left < 12 ? left - 6 : 6));
  const bool may_pair = unit < 0xdc00 && std::string_view("\\u").starts_with(low.substr(0, 2));
  if (may_pair && left < 12) return starve(run);
  if (!may_pair || (hex4(run.at + 8) & ~0x3ff) != 0xdc00) {
    return fail(run, JsonFaultKind::kInvalidUtf8, "a lone surrogate");
  }
  run.at += 12;
  return Step::kGo;
}

// A key of the top-level object: known ones are noted, and may come once.
JsonScanner::Step JsonScanner::take_key(Run& run) {
  const std::string_view quoted(run.begin + token_begin_,
                                static_cast<std::size_t>(run.at - run.begin) - token_begin_);
  ++top_members_;
  open_field_ = -1;
  std::array<char, kTopKeySizeMax> buffer;
  std::optional<std::string_view> name;
  if (escaped_) {
    name = json_string(quoted, buffer);  // a name that does not fit is none of ours
  } else {
    name = quoted.substr(1, quoted.size() - 2);
  }
  const std::optional<TopKey> key = name ? find_top_key(*name) : std::nullopt;
  if (!key) return Step::kGo;
  const std::uint64_t bit = std::uint64_t{1} << static_cast<unsigned>(*key);
  if ((seen_ & bit) != 0) {
    fail(run, JsonFaultKind::kDuplicateKey, "a key stands twice in the body");
    fault_.key = top_key_name(*key);
    return Step::kFault;
  }
  seen_ |= bit;
  open_field_ = static_cast<std::int32_t>(*key);
  JsonField& field = fields_[static_cast<std::size_t>(*key)];
  field.key_begin = token_begin_;
  field.key_end = token_begin_ + static_cast<std::uint32_t>(quoted.size());
  field.ordinal = top_members_ - 1;
  return Step::kGo;
}

void JsonScanner::value_done(Run& run, JsonType type) {
  if (depth_ == 1 && open_field_ >= 0) note_field(run, type);
  state_ = State::kAfterValue;
  // The comma nearly always follows at once.
  if (run.at != run.end && *run.at == ',') {
    ++run.at;
    state_ = in_object() ? State::kKey : State::kValue;
  }
}

void JsonScanner::note_field(const Run& run, JsonType type) {
  JsonField& field = fields_[static_cast<std::size_t>(open_field_)];
  field.value_begin = top_value_begin_;
  field.value_end = static_cast<std::uint32_t>(run.at - run.begin);
  field.type = type;
  present_ |= std::uint64_t{1} << static_cast<unsigned>(open_field_);
  open_field_ = -1;
}

// The bytes so far end within a token.
JsonScanner::Step JsonScanner::starve(Run& run) {
  if (!run.final) return Step::kMore;
  return fail(run, JsonFaultKind::kInvalidJson, "the body ends too early");
}

JsonScanner::Step JsonScanner::fail(const Run& run, JsonFaultKind kind, const char* what) {
  fault_ = {kind, static_cast<std::uint32_t>(run.at - run.begin), what, {}};
  return Step::kFault;
}

}  // namespace leat::proto
