// SPDX-License-Identifier: Apache-2.0
#include "dialect/routing_fields.h"

#include <algorithm>
#include <bit>

#include "proto/json_value.h"

namespace leat::dialect {

namespace {

using proto::JsonCursor;
using proto::JsonField;
using proto::JsonScanner;
using proto::JsonType;
using proto::key_is;
using proto::TopKey;

// Beyond any model's window.
constexpr std::int64_t kReasoningTokensMax = 1'000'000'000;
// Longer ones are no keys; they are hashed, and kept nowhere.
constexpr std::size_t kHintMax = 1'024;

struct VariantRow {
  std::string_view name;
  Variant variant;
};
constexpr VariantRow kVariants[] = {
    {"free", Variant::kFree},         {"extended", Variant::kExtended},
    {"thinking", Variant::kThinking}, {"batch", Variant::kBatch},
    {"nitro", Variant::kNitro},       {"floor", Variant::kFloor},
    {"exacto", Variant::kExacto},     {"online", Variant::kOnline},
};

struct TierRow {
  std::string_view name;
  ServiceTier tier;
};
// `fast` is Anthropic's word for priority (openrouter-api.md 2.9).
constexpr TierRow kTiers[] = {
    {"auto", ServiceTier::kAuto},     {"default", ServiceTier::kDefault},
    {"flex", ServiceTier::kFlex},     {"priority", ServiceTier::kPriority},
    {"fast", ServiceTier::kPriority}, {"scale", ServiceTier::kScale},
};

constexpr std::string_view kFormats[] = {"",        "text",  "json_object", "json_schema",
                                         "grammar", "python"};

using WordRoom = std::array<char, 64>;

template <std::size_t N>
std::size_t find_word(std::string_view value, const std::string_view (&words)[N]) {
  const auto raw = proto::json_raw_string(value);
  if (!raw) return 0;
  WordRoom room;
  const std::string_view word = plain_word(*raw, room);
  for (std::size_t i = 1; i < N; ++i) {
    if (word == words[i]) return i;
  }
  return 0;
}

bool is_set(const JsonField* field) {
  return field != nullptr && field->type != JsonType::kNull;
}

bool is_filled_array(std::string_view value) {
  if (value.empty() || value.front() != '[') return false;
  proto::JsonElements elements(value);
  std::string_view element;
  return elements.next(element);
}

void add(std::uint8_t& bits, Modality modality) {
  bits = static_cast<std::uint8_t>(bits | 1U << static_cast<unsigned>(modality));
}

class Reader {
 public:
  Reader(const JsonScanner& scanner, std::string_view body, RoutingFields& out, RoutingFault& fault)
      : scanner_(scanner), body_(body), out_(out), fault_(fault) {}

  bool read() {
    read_parameters();
    return read_models() && ((scanner_.present() & kRare) == 0 || read_rare()) && read_messages();
  }

 private:
  // What most requests have none of.
  static constexpr proto::TopKeySet kRare = proto::keys_of(
      {TopKey::kProvider, TopKey::kRoute, TopKey::kPreset, TopKey::kSessionId, TopKey::kUser,
       TopKey::kPromptCacheKey, TopKey::kServiceTier, TopKey::kTools, TopKey::kToolChoice,
       TopKey::kResponseFormat, TopKey::kReasoning, TopKey::kReasoningEffort,
       TopKey::kIncludeReasoning, TopKey::kModalities, TopKey::kPlugins, TopKey::kTransforms});

  bool read_rare() {
    return read_provider() && read_route() && read_texts() && read_service_tier() && read_tools() &&
           read_response_format() && read_reasoning() && read_output_modalities() && read_lists();
  }

  const JsonField* set_field(TopKey key) const {
    const JsonField* const field = scanner_.find(key);
    return is_set(field) ? field : nullptr;
  }

  void read_parameters() {
    for (proto::TopKeySet left = scanner_.present() & kParameterKeys; left != 0; left &= left - 1) {
      const auto key = static_cast<TopKey>(std::countr_zero(left));
      if (set_field(key) != nullptr) out_.parameters.add(parameter_of(key));
    }
  }

  bool read_models() {
    if (const JsonField* field = set_field(TopKey::kModel)) {
      const auto name = out_.texts_.take(field->value(body_), kSlugBytesMax);
      if (field->type != JsonType::kString) return fault_.set("must be a string", "model");
      if (!name) return fault_.set("is too long", "model");
      if (!add_model(*name)) return fault_.set(model_message_, "model");
      out_.has_model = true;
    }
    const JsonField* const list = set_field(TopKey::kModels);
    if (list == nullptr) return true;
    if (list->type != JsonType::kArray) return fault_.set("must be an array of strings", "models");
    proto::JsonElements elements(list->value(body_));
    std::string_view element;
    for (std::size_t i = 0; elements.next(element); ++i) {
      if (element.front() != '"') return fault_.set_element("must be a string", "models", i);
      if (out_.models_.is_full()) return fault_.set_element("too many models", "models", i);
      const auto name = out_.texts_.take(element, kSlugBytesMax);
      if (!name) return fault_.set_element("is too long", "models", i);
      if (!add_model(*name)) return fault_.set_element(model_message_, "models", i);
    }
    return true;
  }

  // False with `model_message_` set.
  bool add_model(std::string_view name) {
    const ModelName model = split_model_name(name);
    if (model.base.empty() && model.preset.empty()) {
      model_message_ = "must name a model";
      return false;
    }
    const int sorts =
        model.has(Variant::kNitro) + model.has(Variant::kFloor) + model.has(Variant::kExacto);
    if (sorts > 1) {
      model_message_ = "of :nitro, :floor and :exacto only one can be had";
      return false;
    }
    out_.models_.add(model);
    return true;
  }

  bool read_provider() {
    const JsonField* const field = set_field(TopKey::kProvider);
    if (field == nullptr) return true;
    if (field->type != JsonType::kObject) return fault_.set("must be an object", "provider");
    return read_provider_preferences(field->value(body_), out_.texts_, out_.provider, fault_);
  }

  // The deprecated name of sort.partition (openrouter-api.md 2.2).
  bool read_route() {
    const JsonField* const field = set_field(TopKey::kRoute);
    if (field == nullptr) return true;
    static constexpr std::string_view kRoutes[] = {"", "fallback", "sort"};
    const std::size_t word = find_word(field->value(body_), kRoutes);
    if (word == 0) return fault_.set("must be fallback or sort", "route");
    const SortPartition partition = word == 1 ? SortPartition::kModel : SortPartition::kNone;
    SortPartition& out = out_.provider.partition;
    if (out != SortPartition::kUnset && out != partition) {
      return fault_.set("contradicts provider.sort.partition", "route");
    }
    out = partition;
    return true;
  }

  bool read_text(TopKey key, const char* field_name, std::size_t size_max, std::string_view& out) {
    const JsonField* const field = set_field(key);
    if (field == nullptr) return true;
    if (field->type != JsonType::kString) return fault_.set("must be a string", field_name);
    const auto text = out_.texts_.take(field->value(body_), size_max);
    if (!text) return fault_.set("is too long", field_name);
    out = *text;
    return true;
  }

  // What only names somebody to us, and is the provider's to judge: too long a name is none.
  bool read_hint(TopKey key, const char* field_name, std::string_view& out) {
    const JsonField* const field = set_field(key);
    if (field == nullptr) return true;
    if (field->type != JsonType::kString) return fault_.set("must be a string", field_name);
    out = out_.texts_.take(field->value(body_), kHintMax).value_or(std::string_view());
    return true;
  }

  bool read_texts() {
    return read_text(TopKey::kPreset, "preset", kSlugBytesMax, out_.preset) &&
           read_text(TopKey::kSessionId, "session_id", kSessionIdMax, out_.session_id) &&
           read_hint(TopKey::kUser, "user", out_.user) &&
           read_hint(TopKey::kPromptCacheKey, "prompt_cache_key", out_.prompt_cache_key);
  }

  bool read_service_tier() {
    const JsonField* const field = set_field(TopKey::kServiceTier);
    if (field == nullptr) return true;
    const auto raw = proto::json_raw_string(field->value(body_));
    const std::string_view word = raw ? plain_word(*raw, room_) : std::string_view();
    for (const TierRow& row : kTiers) {
      if (word != row.name) continue;
      out_.service_tier = row.tier;
      return true;
    }
    return fault_.set("must be auto, default, flex, priority, fast or scale", "service_tier");
  }

  bool read_tools() {
    if (const JsonField* field = set_field(TopKey::kTools)) {
      if (field->type != JsonType::kArray) return fault_.set("must be an array", "tools");
      if (!read_tool_list(field->value(body_))) return false;
    }
    const JsonField* const choice = set_field(TopKey::kToolChoice);
    if (choice == nullptr) return true;
    const std::string_view value = choice->value(body_);
    static constexpr std::string_view kChoices[] = {"", "none", "auto", "required"};
    if (choice->type == JsonType::kString) {
      const std::size_t word = find_word(value, kChoices);
      // Some providers have words of their own (`any`).
      out_.tool_choice = word == 0 ? ToolChoice::kOther : static_cast<ToolChoice>(word);
      return true;
    }
    if (choice->type != JsonType::kObject) {
      return fault_.set("must be a string or an object", "tool_choice");
    }
    const auto type = proto::json_find(value, "type");
    const bool is_function = type && *type == "\"function\"";
    out_.tool_choice = is_function ? ToolChoice::kFunction : ToolChoice::kOther;
    return true;
  }

  bool read_tool_list(std::string_view tools) {
    JsonCursor at(tools);
    at.enter('[');
    bool any = false;
    std::size_t index = 0;
    for (bool first = true; at.next_element(first); ++index) {
      any = true;
      if (!at.enter('{')) return fault_.set_element("must be an object", "tools", index);
      std::string_view key;
      for (bool first_key = true; at.next_key(first_key, key);) {
        const std::string_view value = at.skip();
        key = plain_word(key, room_);
        if (key_is(key, "type")) {
          const auto raw = proto::json_raw_string(value);
          out_.has_server_tools =
              out_.has_server_tools || (raw && plain_word(*raw, room_).starts_with("openrouter:"));
        } else if (key_is(key, "cache_control")) {
          out_.extras.has_cached_tools = true;
        }
      }
    }
    // An empty list asks for nothing.
    if (!any) out_.parameters = out_.parameters.without({Parameter::kTools});
    return true;
  }

  bool read_response_format() {
    const JsonField* const field = set_field(TopKey::kResponseFormat);
    if (field == nullptr) return true;
    if (field->type != JsonType::kObject) return fault_.set("must be an object", "response_format");
    const auto type = proto::json_find(field->value(body_), "type");
    const std::size_t word = type ? find_word(*type, kFormats) : 0;
    if (word == 0) {
      return fault_.set("must be text, json_object, json_schema, grammar or python",
                        "response_format.type");
    }
    out_.response_format = static_cast<ResponseFormat>(word);
    if (out_.response_format == ResponseFormat::kText) {
      out_.parameters = out_.parameters.without({Parameter::kResponseFormat});
    } else if (out_.response_format == ResponseFormat::kJsonSchema) {
      out_.parameters.add(Parameter::kStructuredOutputs);
    }
    return true;
  }

  bool read_effort(std::string_view value, const char* field, ReasoningEffort& out) {
    const auto raw = proto::json_raw_string(value);
    out = raw ? reasoning_effort_of(plain_word(*raw, room_)) : ReasoningEffort::kUnset;
    return out != ReasoningEffort::kUnset ||
           fault_.set("must be none, minimal, low, medium, high, xhigh or max", field);
  }

  bool read_reasoning_member(std::string_view key, std::string_view value) {
    ReasoningWish& wish = out_.reasoning;
    if (proto::json_is_null(value)) return true;
    if (proto::json_key_says(key, "effort")) {
      return read_effort(value, "reasoning.effort", wish.effort);
    }
    if (proto::json_key_says(key, "max_tokens")) {
      const auto count = proto::json_integer(value, 0, kReasoningTokensMax);
      if (!count) return fault_.set("must be an integer, 0 or more", "reasoning.max_tokens");
      wish.max_tokens = *count;
    } else if (proto::json_key_says(key, "enabled")) {
      const auto flag = proto::json_bool(value);
      if (!flag) return fault_.set("must be a boolean", "reasoning.enabled");
      wish.enabled_set = true;
      wish.enabled = *flag;
    } else if (proto::json_key_says(key, "exclude")) {
      const auto flag = proto::json_bool(value);
      if (!flag) return fault_.set("must be a boolean", "reasoning.exclude");
      wish.exclude = *flag;
    }
    return true;
  }

  bool read_reasoning() {
    if (const JsonField* field = set_field(TopKey::kReasoning)) {
      if (field->type != JsonType::kObject) return fault_.set("must be an object", "reasoning");
      proto::JsonMembers members(field->value(body_));
      proto::JsonMember member;
      while (members.next(member)) {
        if (!read_reasoning_member(member.key, member.value)) return false;
      }
    }
    // The older name of `exclude` (4.7).
    if (const JsonField* field = set_field(TopKey::kIncludeReasoning)) {
      const auto flag = proto::json_bool(field->value(body_));
      if (!flag) return fault_.set("must be a boolean", "include_reasoning");
      if (!*flag) out_.reasoning.exclude = true;
    }
    const JsonField* const alias = set_field(TopKey::kReasoningEffort);
    if (alias == nullptr) return true;
    ReasoningEffort effort = ReasoningEffort::kUnset;
    if (!read_effort(alias->value(body_), "reasoning_effort", effort)) return false;
    ReasoningEffort& out = out_.reasoning.effort;
    if (out != ReasoningEffort::kUnset && out != effort) {
      return fault_.set("contradicts reasoning.effort", "reasoning_effort");
    }
    out = effort;
    return true;
  }

  bool read_output_modalities() {
    const JsonField* const field = set_field(TopKey::kModalities);
    if (field == nullptr) return true;
    if (field->type != JsonType::kArray) {
      return fault_.set("must be an array of strings", "modalities");
    }
    static constexpr std::string_view kNames[] = {"", "text", "image", "audio"};
    proto::JsonElements elements(field->value(body_));
    std::string_view element;
    for (std::size_t i = 0; elements.next(element); ++i) {
      const std::size_t word = find_word(element, kNames);
      if (word == 0) return fault_.set_element("must be text, image or audio", "modalities", i);
      add(out_.output_modalities, static_cast<Modality>(word - 1));
    }
    return true;
  }

  bool read_list(TopKey key, const char* field_name, bool& any) {
    const JsonField* const field = set_field(key);
    if (field == nullptr) return true;
    if (field->type != JsonType::kArray) return fault_.set("must be an array", field_name);
    any = is_filled_array(field->value(body_));
    return true;
  }

  bool read_lists() {
    return read_list(TopKey::kPlugins, "plugins", out_.has_plugins) &&
           read_list(TopKey::kTransforms, "transforms", out_.has_transforms);
  }

  bool read_messages() {
    const JsonField* const field = set_field(TopKey::kMessages);
    if (field == nullptr) return true;
    if (field->type != JsonType::kArray) return fault_.set("must be an array", "messages");
    JsonCursor at(field->value(body_));
    at.enter('[');
    std::size_t index = 0;
    for (bool first = true; at.next_element(first); ++index) {
      const char* const begin = at.at();
      if (!at.enter('{')) return fault_.set_element("must be an object", "messages", index);
      const bool is_system = read_message(at);
      std::string_view& place = is_system ? out_.first_system_message : out_.first_other_message;
      if (place.empty()) place = {begin, static_cast<std::size_t>(message_end_ - begin)};
    }
    return true;
  }

  // From within its brace to past it; whether it is an instruction.
  bool read_message(JsonCursor& at) {
    bool is_system = false;
    std::string_view key;
    message_end_ = at.at();
    for (bool first = true; at.next_key(first, key);) {
      // Escaped spellings count: a part that is hidden from the router would be priced as none.
      key = plain_word(key, room_);
      if (key_is(key, "content") && at.enter('[')) {
        read_parts(at);
        message_end_ = at.at();
        continue;
      }
      const std::string_view value = at.skip();
      message_end_ = value.data() + value.size();
      if (key_is(key, "role")) {
        read_role(value, is_system);
      } else if (key_is(key, "content")) {
        if (value.front() == '"') add(out_.input_modalities, Modality::kText);
      } else if (key_is(key, "reasoning") || key_is(key, "reasoning_content") ||
                 key_is(key, "reasoning_details")) {
        out_.extras.has_reasoning = true;
      } else {
        note_beyond_openai(key);
      }
    }
    return is_system;
  }

  void read_role(std::string_view value, bool& is_system) {
    const auto raw = proto::json_raw_string(value);
    const std::string_view role = raw ? plain_word(*raw, room_) : std::string_view();
    const bool is_developer = role == "developer";
    if (is_developer) out_.extras.has_developer_role = true;
    is_system = is_developer || role == "system";
  }

  void note_beyond_openai(std::string_view key) {
    if (key_is(key, "cache_control") || key_is(key, "annotations") || key_is(key, "images")) {
      out_.extras.has_beyond_openai = true;
    }
  }

  void read_parts(JsonCursor& at) {
    for (bool first = true; at.next_element(first);) {
      if (!at.enter('{')) {
        at.skip();
        continue;
      }
      std::string_view key;
      bool is_image = false;
      std::uint32_t sources = 0;
      std::uint64_t source_bytes = 0;
      for (bool first_key = true; at.next_key(first_key, key);) {
        const std::string_view value = at.skip();
        key = plain_word(key, room_);
        if (key_is(key, "type")) {
          is_image = note_part(value) || is_image;
        } else if (key_is(key, "image_url")) {
          ++sources;
          source_bytes += value.size();
        } else {
          note_beyond_openai(key);
        }
      }
      if (!is_image) continue;
      // A member that stands twice counts twice: which of them is taken is the provider's choice.
      out_.images += std::max(sources, 1U);
      out_.image_bytes += source_bytes;
    }
  }

  // Whether it is the type of an image.
  bool note_part(std::string_view type) {
    struct PartRow {
      std::string_view name;
      Modality modality;
    };
    static constexpr PartRow kParts[] = {
        {"text", Modality::kText},         {"refusal", Modality::kText},
        {"thinking", Modality::kText},     {"image_url", Modality::kImage},
        {"input_audio", Modality::kAudio}, {"file", Modality::kFile},
        {"video_url", Modality::kVideo},   {"input_video", Modality::kVideo},
    };
    const auto raw = proto::json_raw_string(type);
    if (!raw) return false;
    const std::string_view type_name = plain_word(*raw, room_);
    for (const PartRow& row : kParts) {
      if (type_name != row.name) continue;
      add(out_.input_modalities, row.modality);
      return row.modality == Modality::kImage;
    }
    out_.has_unknown_parts = true;
    return false;
  }

  const JsonScanner& scanner_;
  std::string_view body_;
  RoutingFields& out_;
  RoutingFault& fault_;
  WordRoom room_;
  const char* model_message_ = "";
  const char* message_end_ = nullptr;
};

}  // namespace

ModelName split_model_name(std::string_view full) {
  ModelName name;
  name.full = full;
  name.base = full;
  constexpr std::string_view kPreset = "@preset/";
  if (const std::size_t at = full.find(kPreset); at != std::string_view::npos) {
    name.base = full.substr(0, at);
    name.preset = full.substr(at + kPreset.size());
  }
  for (;;) {
    const std::size_t colon = name.base.rfind(':');
    if (colon == std::string_view::npos) return name;
    const std::string_view suffix = name.base.substr(colon + 1);
    bool known = false;
    for (const VariantRow& row : kVariants) {
      if (suffix != row.name) continue;
      known = true;
      name.variants =
          static_cast<std::uint8_t>(name.variants | 1U << static_cast<unsigned>(row.variant));
    }
    if (!known) return name;
    name.base = name.base.substr(0, colon);
  }
}

bool read_routing_fields(const JsonScanner& scanner, std::string_view body, RoutingFields& out,
                         RoutingFault& fault) {
  return Reader(scanner, body, out, fault).read();
}

}  // namespace leat::dialect
