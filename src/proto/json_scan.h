// SPDX-License-Identifier: Apache-2.0
// JsonScanner: validates a request body while it arrives, and notes where the known keys of its one
// top-level object stand. Strict RFC 8259 and UTF-8: no BOM, no bytes after the object, no lone
// surrogate (not in escapes either); it agrees with simdjson on what is JSON, or the gateway and a
// provider could be made to see two different `model`s (engine.md 7). Never allocates, never builds
// a tree, looks at each byte once for its structure and once as UTF-8.
//
// The body lies contiguous in memory and grows at its end; each call passes all of it so far:
//
//   JsonScanner scanner;
//   while (receive(block)) if (scanner.scan(block.text(), false) == JsonStatus::kFault) refuse();
//   if (scanner.scan(block.text(), true) != JsonStatus::kDone) refuse(scanner.fault());
//   const JsonField* model = scanner.find(TopKey::kModel);
//
// The memory may move between calls (only offsets are kept). Fields of members that are complete
// can be read before the body is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "proto/json_value.h"
#include "proto/top_key.h"

namespace leat::proto {

// Where each comes from: threats-and-faults.md 3.3. Exceeding one is kTooComplex.
struct JsonLimits {
  std::uint32_t depth_max = 128;           // nested containers, the outermost included; at most 128
  std::uint32_t keys_max = 10'000;         // members of one object
  std::uint32_t tokens_max = 4'000'000;    // values and keys of the whole body
  std::uint32_t number_bytes_max = 1'024;  // one number: bounds what is read twice on resume
  std::uint64_t body_bytes_max = 1U << 30;  // offsets are 32 bits wide
};

enum class JsonFaultKind : std::uint8_t {
  kNone,
  kInvalidJson,   // `invalid_json`
  kInvalidUtf8,   // `invalid_utf8`
  kTooComplex,    // `json_too_complex`
  kDuplicateKey,  // `duplicate_key`
};

// `what` is static text and never quotes the body. `key` is the duplicate's name, or empty.
struct JsonFault {
  JsonFaultKind kind = JsonFaultKind::kNone;
  std::uint32_t offset = 0;
  const char* what = "";
  std::string_view key = {};
};

enum class JsonStatus : std::uint8_t { kMore, kDone, kFault };

// One member of the top-level object. Offsets count from the body's first byte; the key's range
// includes its quotes. `ordinal` is the member's place in the object, from 0.
struct JsonField {
  std::uint32_t key_begin;
  std::uint32_t key_end;
  std::uint32_t value_begin;
  std::uint32_t value_end;
  std::uint32_t ordinal;
  JsonType type;

  std::string_view value(std::string_view body) const {
    return body.substr(value_begin, value_end - value_begin);
  }
};

class JsonScanner {
 public:
  explicit JsonScanner(const JsonLimits& limits = {}) : limits_(limits) {}

  // Scans what is new in `whole`. kDone only with `final`, which says that no byte will follow.
  // REQUIRES: `whole` begins with the bytes of the last call. After kFault or kDone: the same
  // again.
  JsonStatus scan(std::string_view whole, bool final);

  const JsonFault& fault() const { return fault_; }

  // The known key's field if its member is complete, else null.
  const JsonField* find(TopKey key) const {
    return (present_ >> static_cast<unsigned>(key) & 1) != 0
               ? &fields_[static_cast<std::size_t>(key)]
               : nullptr;
  }
  // The keys that find() finds.
  TopKeySet present() const { return present_; }
  bool has(TopKey key) const { return find(key) != nullptr; }

  // Of the top-level object, once kDone: offsets of its braces and the number of its members.
  std::uint32_t object_begin() const { return object_begin_; }
  std::uint32_t object_end() const { return object_end_; }  // offset of the closing brace
  std::uint32_t member_count() const { return top_members_; }

 private:
  enum class State : std::uint8_t {
    kStart,       // nothing but white space so far
    kFirstKey,    // after '{': a key or '}'
    kKey,         // after ',' in an object
    kInKey,       // inside a key's quotes
    kColon,       // after a key
    kFirstValue,  // after '[': a value or ']'
    kValue,       // a value must come
    kInString,    // inside a string value's quotes
    kAfterValue,  // ',' or a closing bracket
    kEnd,         // after the top-level object: white space only
  };
  enum class Step : std::uint8_t { kGo, kMore, kFault };
  // The bytes of this call; `at` is the next one to look at.
  struct Run {
    const char* begin;
    const char* at;
    const char* end;
    bool final;
  };

  Step step(Run& run);
  Step start(Run& run);
  Step key(Run& run, bool may_close);
  Step value(Run& run);
  Step after_value(Run& run);
  Step close(Run& run, char bracket);
  Step finish_string(Run& run);
  Step open(Run& run, bool is_object);
  Step literal(Run& run, std::string_view text, JsonType type);
  Step number(Run& run);
  Step string_bytes(Run& run);
  Step escape(Run& run);
  bool judge_utf8(const Run& run, Step taken);
  Step take_key(Run& run);
  // In the class, since each token comes through them.
  Step count_token(const Run& run) {
    if (++tokens_ <= limits_.tokens_max) [[likely]]
      return Step::kGo;
    return fail(run, JsonFaultKind::kTooComplex, "too many values");
  }
  Step starve(Run& run);
  Step fail(const Run& run, JsonFaultKind kind, const char* what);
  void value_done(Run& run, JsonType type);
  void note_field(const Run& run, JsonType type);
  bool in_object() const { return (object_bits_[depth_ / 64] >> (depth_ % 64) & 1) != 0; }

  // Bounds of the arrays below; limits_.depth_max may be less.
  static constexpr std::uint32_t kDepthMax = 128;

  JsonLimits limits_;
  JsonFault fault_;
  State state_ = State::kStart;
  bool escaped_ = false;               // the string being read has a backslash
  std::uint32_t offset_ = 0;           // next byte to look at
  std::uint32_t judged_ = 0;           // bytes known to be UTF-8
  std::uint32_t token_begin_ = 0;      // opening quote of the string being read
  std::uint32_t top_value_begin_ = 0;  // of the value being read at depth 1
  std::uint32_t depth_ = 0;            // open containers
  std::uint32_t tokens_ = 0;
  std::uint32_t top_members_ = 0;
  std::uint32_t object_begin_ = 0;
  std::uint32_t object_end_ = 0;
  std::int32_t open_field_ = -1;  // TopKey of the depth-1 member whose value is being read
  TopKeySet present_ = 0;         // those whose member is complete
  TopKeySet seen_ = 0;            // those whose key was read
  std::array<std::uint64_t, kDepthMax / 64 + 1>
      object_bits_{};                                 // bit d: an object is open at depth d
  std::array<std::uint32_t, kDepthMax + 1> members_;  // members of the object open at depth d
  std::array<JsonField, kTopKeyCount> fields_;        // those that present_ names
};

}  // namespace leat::proto
