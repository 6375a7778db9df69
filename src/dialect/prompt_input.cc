// SPDX-License-Identifier: Apache-2.0
#include "dialect/prompt_input.h"

#include "proto/json_value.h"

namespace leat::dialect {

namespace {

using proto::JsonCursor;
using proto::JsonField;
using proto::JsonScanner;
using proto::JsonType;
using proto::TopKey;

constexpr std::int64_t kTokenIdMax = 0xffff'ffff;
constexpr std::int64_t kDimensionsMax = 1'000'000;

const JsonField* find_set(const JsonScanner& scanner, TopKey key) {
  const JsonField* const field = scanner.find(key);
  return field != nullptr && field->type != JsonType::kNull ? field : nullptr;
}

bool is_token(std::string_view value) {
  return proto::json_integer(value, 0, kTokenIdMax).has_value();
}

InputKind kind_of_element(char first) {
  switch (first) {
    case '"':
      return InputKind::kTexts;
    case '[':
      return InputKind::kTokenLists;
    case '{':
      return InputKind::kParts;
    default:
      return InputKind::kTokens;
  }
}

class Reader {
 public:
  // `takes_parts`: objects are inputs too. `may_be_empty`: so are "" and [].
  Reader(const char* field, bool takes_parts, bool may_be_empty, PromptInput& out,
         RoutingFault& fault)
      : field_(field),
        takes_parts_(takes_parts),
        may_be_empty_(may_be_empty),
        out_(out),
        fault_(fault) {}

  bool read(std::string_view value) {
    if (value.front() == '"') {
      out_.kind = InputKind::kText;
      out_.count = 1;
      out_.text_bytes = value.size() - 2;
      if (out_.text_bytes == 0 && !may_be_empty_) return fault_.set("must not be empty", field_);
      return true;
    }
    if (value.front() != '[') {
      return fault_.set("must be a string or an array of strings or tokens", field_);
    }
    return read_array(value);
  }

 private:
  bool read_array(std::string_view value) {
    JsonCursor at(value);
    at.enter('[');
    std::size_t index = 0;
    for (bool first = true; at.next_element(first); ++index) {
      const InputKind kind = kind_of_element(at.peek());
      if (index == 0) out_.kind = kind;
      if (kind != out_.kind) return fault_.set_element("is of another kind", field_, index);
      if (!read_element(at, index)) return false;
    }
    if (index == 0) {
      out_.kind = InputKind::kTexts;
      return may_be_empty_ || fault_.set("must not be empty", field_);
    }
    if (out_.kind == InputKind::kTokens) out_.count = 1;
    return true;
  }

  bool read_element(JsonCursor& at, std::size_t index) {
    if (out_.kind != InputKind::kTokens && ++out_.count > kInputsMax) {
      return fault_.set_element("too many inputs", field_, index);
    }
    const std::string_view value = at.skip();
    switch (out_.kind) {
      case InputKind::kTexts:
        out_.text_bytes += value.size() - 2;
        if (value.size() == 2 && !may_be_empty_) {
          return fault_.set_element("must not be empty", field_, index);
        }
        return true;
      case InputKind::kTokens:
        if (!is_token(value)) return fault_.set_element("must be a token", field_, index);
        ++out_.token_count;
        return true;
      case InputKind::kTokenLists:
        return read_tokens(value, index);
      default:
        if (!takes_parts_) return fault_.set_element("must be a string or tokens", field_, index);
        out_.text_bytes += value.size();
        return true;
    }
  }

  bool read_tokens(std::string_view list, std::size_t index) {
    proto::JsonElements tokens(list);
    std::string_view token;
    bool any = false;
    while (tokens.next(token)) {
      any = true;
      if (!is_token(token)) return fault_.set_element("must be a list of tokens", field_, index);
      ++out_.token_count;
    }
    return any || may_be_empty_ || fault_.set_element("must not be empty", field_, index);
  }

  const char* field_;
  bool takes_parts_;
  bool may_be_empty_;
  PromptInput& out_;
  RoutingFault& fault_;
};

}  // namespace

bool read_prompt(const JsonScanner& scanner, std::string_view body, PromptInput& out,
                 RoutingFault& fault) {
  const JsonField* const field = find_set(scanner, TopKey::kPrompt);
  if (field == nullptr) {
    out.count = 1;
    return true;
  }
  Reader reader("prompt", /*takes_parts=*/false, /*may_be_empty=*/true, out, fault);
  if (!reader.read(field->value(body))) return false;
  if (out.count == 0) out.count = 1;
  return true;
}

bool read_embeddings_input(const JsonScanner& scanner, std::string_view body, PromptInput& out,
                           RoutingFault& fault) {
  const JsonField* const field = find_set(scanner, TopKey::kInput);
  if (field == nullptr) return fault.set("is missing", "input");
  Reader reader("input", /*takes_parts=*/true, /*may_be_empty=*/false, out, fault);
  if (!reader.read(field->value(body))) return false;
  const JsonField* const stream = find_set(scanner, TopKey::kStream);
  if (stream != nullptr && stream->type != JsonType::kFalse) {
    return fault.set("embeddings are not streamed", "stream");
  }
  const JsonField* const dimensions = find_set(scanner, TopKey::kDimensions);
  if (dimensions != nullptr && !proto::json_integer(dimensions->value(body), 1, kDimensionsMax)) {
    return fault.set("must be a positive integer", "dimensions");
  }
  const JsonField* const encoding = find_set(scanner, TopKey::kEncodingFormat);
  if (encoding == nullptr) return true;
  const auto word = proto::json_raw_string(encoding->value(body));
  if (word && proto::json_key_says(*word, "float")) {
    out.encoding = EncodingFormat::kFloat;
  } else if (word && proto::json_key_says(*word, "base64")) {
    out.encoding = EncodingFormat::kBase64;
  } else {
    return fault.set("must be float or base64", "encoding_format");
  }
  return true;
}

}  // namespace leat::dialect
