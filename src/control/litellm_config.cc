// SPDX-License-Identifier: Apache-2.0
#include "control/litellm_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "control/addresses.h"
#include "control/command_line.h"
#include "control/defaults.h"
#include "control/exact_price.h"
#include "control/fault.h"
#include "control/toml_quote.h"
#include "control/yaml_tree.h"

namespace leat::control {
namespace {

using Kind = JsonValue::Kind;

constexpr std::size_t kFileBytesMax = 4 << 20;
constexpr std::size_t kEndpointsMax = 16;
constexpr double kTimeMsMax = 86'400'000;
constexpr std::string_view kFromEnvironment = "os.environ/";

// A provider as LiteLLM's model names begin: what we call it, or where it is and whose variable
// holds its key. Addresses: provider-formats.md, section 1.
struct Prefix {
  std::string_view prefix;
  std::string_view name;      // of a known provider (defaults.h), or ours
  std::string_view base_url;  // empty: the known provider's, or it must be stated
  std::string_view variable;  // the same; empty: it needs no key
};
constexpr std::array kPrefixes{
    Prefix{"openai", "openai", "", "OPENAI_API_KEY"},
    Prefix{"text-completion-openai", "openai", "", "OPENAI_API_KEY"},
    Prefix{"anthropic", "anthropic", "", "ANTHROPIC_API_KEY"},
    Prefix{"gemini", "gemini", "", "GEMINI_API_KEY"},
    Prefix{"openrouter", "openrouter", "", "OPENROUTER_API_KEY"},
    Prefix{"xai", "xai", "", "XAI_API_KEY"},
    Prefix{"deepseek", "deepseek", "", "DEEPSEEK_API_KEY"},
    Prefix{"groq", "groq", "", "GROQ_API_KEY"},
    Prefix{"mistral", "mistral", "", "MISTRAL_API_KEY"},
    Prefix{"together_ai", "together", "", "TOGETHERAI_API_KEY"},
    Prefix{"fireworks_ai", "fireworks", "https://api.fireworks.ai/inference/v1",
           "FIREWORKS_AI_API_KEY"},
    Prefix{"perplexity", "perplexity", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"},
    Prefix{"cerebras", "cerebras", "https://api.cerebras.ai/v1", "CEREBRAS_API_KEY"},
    Prefix{"deepinfra", "deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"},
    Prefix{"ollama", "ollama", "http://127.0.0.1:11434/v1", ""},
    Prefix{"ollama_chat", "ollama", "http://127.0.0.1:11434/v1", ""},
    Prefix{"hosted_vllm", "vllm", "", ""},
    Prefix{"vllm", "vllm", "", ""},
    Prefix{"lm_studio", "lm-studio", "", ""},
    Prefix{"litellm_proxy", "litellm", "", ""},
    Prefix{"openai_like", "openai-like", "", ""},
    Prefix{"custom_openai", "openai-like", "", ""},
};

std::string_view known_base_url(std::string_view name) {
  for (const KnownProvider& known : known_providers()) {
    if (known.name == name) return known.base_url;
  }
  return {};
}

// Names of tables and variables are of few letters.
std::string plain_name(std::string_view text, bool is_variable) {
  std::string name;
  for (const char c : text) {
    const bool is_plain = std::isalnum(static_cast<unsigned char>(c)) != 0;
    const char other = is_variable ? '_' : '-';
    name += is_plain ? (is_variable ? static_cast<char>(std::toupper(c)) : c) : other;
  }
  return name;
}

// What a model may be called here.
bool is_good_id(std::string_view text) {
  return std::ranges::all_of(text,
                             [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

struct ProviderDraft {
  std::string name;
  std::string base_url;
  std::string variable;  // of its key; empty: none
  std::string literal;   // a key that stood in the file: compared, never printed
};

struct EndpointDraft {
  std::size_t provider = 0;
  std::string model;
  std::string price;  // "prompt = ..., completion = ..."; empty: none is stated
  bool is_free = false;
  std::uint32_t context_tokens = 0;
  std::uint32_t completion_tokens_max = 0;
};

struct ModelDraft {
  std::string id;
  std::vector<EndpointDraft> endpoints;
  std::uint64_t request_ms = 0;
  std::uint64_t first_byte_ms = 0;
  bool is_embedding = false;
  std::vector<std::string> remarks;
};

class Import {
 public:
  explicit Import(const Surroundings& surroundings) : surroundings_(surroundings) {}

  void read(const JsonValue& root);
  bool has_models() const { return !models_.empty(); }
  std::string toml() const;
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void note(std::string text) { notes_.push_back(std::move(text)); }
  // A member that is looked at here: it is not left over. Null: there is none.
  const JsonValue* take(const JsonValue& object, std::string_view key);
  // What nobody took of an object, by its place.
  void tell_rest(const JsonValue& object, const std::string& path);

  void read_models(const JsonValue& list);
  void read_entry(const JsonValue& entry, const std::string& path);
  void drop_half_prices();
  std::optional<std::size_t> provider_of(const JsonValue& params, const std::string& path,
                                         std::string& model);
  std::optional<std::string> address_of(const JsonValue* value, std::string_view usual,
                                        const std::string& path);
  void take_key(const JsonValue* value, const Prefix& prefix, const std::string& path,
                ProviderDraft& provider);
  void read_costs(const JsonValue& from, const std::string& path, EndpointDraft& endpoint,
                  std::string& prompt, std::string& completion);
  std::optional<std::uint64_t> milliseconds_of(const JsonValue* value, const std::string& path);
  void read_router(const JsonValue& settings, const std::string& path);
  void read_general(const JsonValue& settings);
  void read_fallbacks(const JsonValue& list, const std::string& path);
  void read_aliases(const JsonValue& table, const std::string& path);
  void fall_back(const std::string& from, const std::string& to, const std::string& path);
  ModelDraft* model(std::string_view id);

  const Surroundings& surroundings_;
  std::set<const JsonValue*> taken_;
  std::vector<ProviderDraft> providers_;
  std::vector<ModelDraft> models_;
  std::vector<std::pair<std::string, std::string>> aliases_;
  std::string sort_;
  std::uint64_t attempts_ = 0;
  std::uint64_t request_ms_ = 0;
  std::string key_variable_ = "LEAT_CLIENT_KEY";
  std::vector<std::string> notes_;
};

const JsonValue* Import::take(const JsonValue& object, std::string_view key) {
  const JsonValue* value = object.find(key);
  if (value != nullptr) taken_.insert(value);
  return value;
}

void Import::tell_rest(const JsonValue& object, const std::string& path) {
  for (const JsonMember& member : object.members) {
    if (taken_.contains(&member.value)) continue;
    note(fmt::format("{}.{}: has no counterpart", path, printable(member.key)));
  }
}

ModelDraft* Import::model(std::string_view id) {
  const auto found = std::ranges::find(models_, id, &ModelDraft::id);
  return found == models_.end() ? nullptr : &*found;
}

// ---- model_list
// ----------------------------------------------------------------------------------

void Import::read_models(const JsonValue& list) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    read_entry(list.items[i], fmt::format("model_list[{}]", i));
  }
}

// Where one endpoint of a model has a price, all need one.
void Import::drop_half_prices() {
  for (ModelDraft& draft : models_) {
    const auto priced = std::ranges::count_if(
        draft.endpoints, [](const EndpointDraft& each) { return !each.price.empty(); });
    if (priced == 0 || priced == std::ssize(draft.endpoints)) continue;
    for (EndpointDraft& endpoint : draft.endpoints) {
      endpoint.price.clear();
      endpoint.is_free = false;
    }
    note(fmt::format("the prices of \"{}\" are left out, since not all of its deployments have one",
                     printable(draft.id)));
  }
}

void Import::read_entry(const JsonValue& entry, const std::string& path) {
  const JsonValue* name = take(entry, "model_name");
  const JsonValue* params = take(entry, "litellm_params");
  if (name == nullptr || params == nullptr || !params->is(Kind::kObject) || name->text.empty()) {
    return note(path + ": left out, since it has no model_name or no litellm_params");
  }
  if (!is_good_id(name->text)) {
    return note(path + ".model_name: left out, since it has more than visible ASCII, or quotes");
  }
  if (name->text == "*") {
    return note(path + ": left out; there is no model for every name, write one `PREFIX/*` each");
  }
  EndpointDraft endpoint;
  const auto provider = provider_of(*params, path + ".litellm_params", endpoint.model);
  if (!provider) return;
  endpoint.provider = *provider;
  ModelDraft* target = model(name->text);
  if (target == nullptr) target = &models_.emplace_back(ModelDraft{.id = name->text});
  std::string prompt;
  std::string completion;
  read_costs(*params, path + ".litellm_params", endpoint, prompt, completion);
  if (const JsonValue* info = take(entry, "model_info"); info != nullptr) {
    read_costs(*info, path + ".model_info", endpoint, prompt, completion);
    if (const JsonValue* mode = take(*info, "mode"); mode != nullptr) {
      target->is_embedding = mode->text == "embedding";
      if (mode->text != "chat" && mode->text != "completion" && mode->text != "embedding") {
        note(path + ".model_info.mode: only chats, completions and embeddings are served");
      }
    }
    take(*info, "id");
    tell_rest(*info, path + ".model_info");
  }
  if (!prompt.empty() && !completion.empty()) {
    endpoint.is_free = prompt == "0" && completion == "0";
    endpoint.price =
        fmt::format("prompt = {}, completion = {}", toml_quoted(prompt), toml_quoted(completion));
  } else if (!prompt.empty() || !completion.empty()) {
    note(path + ": half of a price (prompt and completion are needed) is left out");
  }
  const auto timeout = milliseconds_of(take(*params, "timeout"), path + ".litellm_params.timeout");
  const auto first =
      milliseconds_of(take(*params, "stream_timeout"), path + ".litellm_params.stream_timeout");
  target->request_ms = std::max(target->request_ms, timeout.value_or(0));
  target->first_byte_ms = std::max(target->first_byte_ms, first.value_or(0));
  for (const std::string_view limit : {"rpm", "tpm"}) {
    if (take(*params, limit) == nullptr && take(entry, limit) == nullptr) continue;
    note(
        fmt::format("{}: {} of a deployment has no counterpart; providers' own limits are read "
                    "from their answers, limits of clients stand in [keys.limits]",
                    path, limit));
  }
  tell_rest(*params, path + ".litellm_params");
  tell_rest(entry, path);
  if (target->endpoints.size() == kEndpointsMax) {
    return note(fmt::format("{}: left out, a model has at most {} endpoints", path, kEndpointsMax));
  }
  target->endpoints.push_back(std::move(endpoint));
}

std::optional<std::size_t> Import::provider_of(const JsonValue& params, const std::string& path,
                                               std::string& model) {
  const JsonValue* named = take(params, "model");
  const JsonValue* kind = take(params, "custom_llm_provider");
  if (named == nullptr || named->text.empty()) {
    note(path + ".model: left out, since it is not stated");
    return {};
  }
  const std::size_t slash = named->text.find('/');
  std::string prefix = slash == std::string::npos ? "openai" : named->text.substr(0, slash);
  model = slash == std::string::npos ? named->text : named->text.substr(slash + 1);
  if (kind != nullptr) {
    if (kind->text != prefix) model = named->text;
    prefix = kind->text;
  }
  const auto found = std::ranges::find(kPrefixes, prefix, &Prefix::prefix);
  if (found == kPrefixes.end()) {
    note(
        fmt::format("{}.model: left out; of the provider \"{}\" no OpenAI-compatible address is "
                    "known here",
                    path, printable(prefix)));
    return {};
  }
  const JsonValue* stated = take(params, "api_base");
  if (stated == nullptr) stated = take(params, "base_url");
  const std::string_view usual =
      found->base_url.empty() ? known_base_url(found->name) : found->base_url;
  const auto address = address_of(stated, usual, path + ".api_base");
  if (!address) return {};
  ProviderDraft draft{.base_url = *address};
  take_key(take(params, "api_key"), *found, path + ".api_key", draft);
  for (std::size_t i = 0; i < providers_.size(); ++i) {
    const ProviderDraft& other = providers_[i];
    if (other.base_url == draft.base_url && other.variable == draft.variable &&
        other.literal == draft.literal) {
      return i;
    }
  }
  draft.name = found->name;
  for (int number = 2;
       std::ranges::find(providers_, draft.name, &ProviderDraft::name) != providers_.end();
       ++number) {
    draft.name = fmt::format("{}-{}", found->name, number);
  }
  if (!draft.literal.empty()) {
    draft.variable = fmt::format("LEAT_{}_KEY", plain_name(draft.name, true));
    note(
        fmt::format("{}.api_key: the key itself stands there and is not copied; put it into the "
                    "variable {}",
                    path, draft.variable));
  }
  providers_.push_back(std::move(draft));
  return providers_.size() - 1;
}

// Nothing, and it is told, where there is none that can be used.
std::optional<std::string> Import::address_of(const JsonValue* value, std::string_view usual,
                                              const std::string& path) {
  std::string address(usual);
  if (value != nullptr && !value->text.empty()) {
    address = value->text;
    if (address.starts_with(kFromEnvironment)) {
      const std::string variable = address.substr(kFromEnvironment.size());
      const auto set = surroundings_.variable(variable);
      if (!set) {
        note(fmt::format("{}: left out; set {} when importing, an address is no secret here", path,
                         printable(variable)));
        return {};
      }
      address = *set;
    }
  }
  if (address.empty()) {
    note(path + ": left out, since it is not stated");
    return {};
  }
  while (address.ends_with('/')) address.pop_back();
  if (!parse_base_url(address)) {
    note(path + ": left out, since it is no plain address of a service");
    return {};
  }
  return address;
}

void Import::take_key(const JsonValue* value, const Prefix& prefix, const std::string& path,
                      ProviderDraft& provider) {
  if (value == nullptr || value->is(Kind::kNull)) {
    provider.variable = prefix.variable;
    return;
  }
  if (value->text.starts_with(kFromEnvironment)) {
    provider.variable = plain_name(value->text.substr(kFromEnvironment.size()), true);
    if (provider.variable != value->text.substr(kFromEnvironment.size())) {
      note(path + ": the name of the variable was changed to " + provider.variable);
    }
    return;
  }
  provider.literal = value->text;
}

void Import::read_costs(const JsonValue& from, const std::string& path, EndpointDraft& endpoint,
                        std::string& prompt, std::string& completion) {
  const auto price = [&](std::string_view key, std::string& text) {
    const JsonValue* value = take(from, key);
    if (value == nullptr) return;
    const auto exact = parse_price(value->text, PriceUnit::kPerMillion);
    const auto single = parse_price(value->text, PriceUnit::kPerUnit);
    if (!exact || !single || single->value < 0) {
      return note(fmt::format("{}.{}: is no price", path, key));
    }
    // LiteLLM's are of one token.
    text = price_text(single->value, PriceUnit::kPerMillion);
  };
  price("input_cost_per_token", prompt);
  price("output_cost_per_token", completion);
  const auto count = [&](std::string_view key, std::uint32_t& to) {
    if (take(from, key) != nullptr) to = std::max(to, from.count_of(key));
  };
  count("max_input_tokens", endpoint.context_tokens);
  count("max_output_tokens", endpoint.completion_tokens_max);
}

std::optional<std::uint64_t> Import::milliseconds_of(const JsonValue* value,
                                                     const std::string& path) {
  if (value == nullptr) return {};
  double seconds = 0;
  const std::string& text = value->text;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  const double ms = seconds * 1e3;
  if (!(ms >= 1 && ms <= kTimeMsMax)) {
    note(path + ": is no time that can be set");
    return {};
  }
  return static_cast<std::uint64_t>(ms);
}

// ---- Settings
// ------------------------------------------------------------------------------------

void Import::read_router(const JsonValue& settings, const std::string& path) {
  if (const JsonValue* strategy = take(settings, "routing_strategy"); strategy != nullptr) {
    const std::string& name = strategy->text;
    if (name == "latency-based-routing") sort_ = "latency";
    if (name == "cost-based-routing") sort_ = "price";
    if (sort_.empty() && name != "simple-shuffle") {
      note(path +
           ".routing_strategy: has no counterpart; endpoints are balanced by price and "
           "health");
    }
  }
  if (const JsonValue* retries = take(settings, "num_retries"); retries != nullptr) {
    attempts_ = std::clamp<std::uint64_t>(settings.count_of("num_retries") + 1ull, 1, 16);
  }
  for (const std::string_view key : {"timeout", "request_timeout"}) {
    const auto ms = milliseconds_of(take(settings, key), fmt::format("{}.{}", path, key));
    if (ms) request_ms_ = std::max(request_ms_, *ms);
  }
  if (const JsonValue* fallbacks = take(settings, "fallbacks"); fallbacks != nullptr) {
    read_fallbacks(*fallbacks, path + ".fallbacks");
  }
  if (const JsonValue* aliases = take(settings, "model_group_alias"); aliases != nullptr) {
    read_aliases(*aliases, path + ".model_group_alias");
  }
  tell_rest(settings, path);
}

void Import::read_aliases(const JsonValue& table, const std::string& path) {
  for (const JsonMember& member : table.members) {
    const std::string target = member.value.is(Kind::kObject)
                                   ? std::string(member.value.text_of("model"))
                                   : member.value.text;
    if (model(target) == nullptr || model(member.key) != nullptr) {
      note(fmt::format("{}.{}: left out, its model is not there or it is a model itself", path,
                       printable(member.key)));
      continue;
    }
    aliases_.emplace_back(member.key, target);
  }
}

void Import::read_fallbacks(const JsonValue& list, const std::string& path) {
  for (const JsonValue& item : list.items) {
    for (const JsonMember& member : item.members) {
      const std::vector<JsonValue> single{member.value};
      const auto& targets = member.value.is(Kind::kArray) ? member.value.items : single;
      for (const JsonValue& target : targets) fall_back(member.key, target.text, path);
    }
  }
}

// The next endpoints of the model, where endpoints are tried in their order: none has a price.
void Import::fall_back(const std::string& from, const std::string& to, const std::string& path) {
  ModelDraft* first = model(from);
  const ModelDraft* next = model(to);
  if (first == nullptr || next == nullptr) {
    return note(fmt::format("{}: from \"{}\" to \"{}\" is left out, since one of them is not there",
                            path, printable(from), printable(to)));
  }
  const auto has_price = [](const ModelDraft& draft) {
    return std::ranges::any_of(draft.endpoints,
                               [](const EndpointDraft& each) { return !each.price.empty(); });
  };
  if (has_price(*first) || has_price(*next) ||
      first->endpoints.size() + next->endpoints.size() > kEndpointsMax) {
    first->remarks.push_back(fmt::format(
        "fell back to {}: priced endpoints are drawn by price, so ask with models = [{}, {}]",
        printable(to), toml_quoted(from), toml_quoted(to)));
    return note(fmt::format("{}: from \"{}\" to \"{}\" is for the request to ask (`models`)", path,
                            printable(from), printable(to)));
  }
  first->remarks.push_back("the last endpoints are its fallback, " + printable(to));
  const std::vector<EndpointDraft> more = next->endpoints;
  first->endpoints.insert(first->endpoints.end(), more.begin(), more.end());
}

void Import::read_general(const JsonValue& settings) {
  if (const JsonValue* key = take(settings, "master_key"); key != nullptr) {
    key_variable_ = "LITELLM_MASTER_KEY";
    if (key->text.starts_with(kFromEnvironment)) {
      key_variable_ = plain_name(key->text.substr(kFromEnvironment.size()), true);
    } else {
      note(
          "general_settings.master_key: the key itself stands there and is not copied; put it "
          "into the variable LITELLM_MASTER_KEY");
    }
  }
  tell_rest(settings, "general_settings");
}

void Import::read(const JsonValue& root) {
  if (const JsonValue* list = take(root, "model_list"); list != nullptr) read_models(*list);
  drop_half_prices();
  if (const JsonValue* general = take(root, "general_settings"); general != nullptr) {
    read_general(*general);
  }
  for (const std::string_view name : {"router_settings", "litellm_settings"}) {
    if (const JsonValue* settings = take(root, name); settings != nullptr) {
      read_router(*settings, std::string(name));
    }
  }
  if (const JsonValue* variables = take(root, "environment_variables"); variables != nullptr) {
    for (const JsonMember& member : variables->members) {
      note(fmt::format("environment_variables.{}: set it in the environment of leat",
                       printable(member.key)));
    }
  }
  for (const JsonMember& member : root.members) {
    if (!taken_.contains(&member.value)) note(printable(member.key) + ": has no counterpart");
  }
}

// ---- Writing
// -------------------------------------------------------------------------------------

std::string endpoint_line(const EndpointDraft& endpoint, const ProviderDraft& provider,
                          int number) {
  const bool is_pattern = endpoint.model == "*" || endpoint.model.ends_with("/*");
  std::string line = fmt::format("  {{ provider = {}, model = {}", toml_quoted(provider.name),
                                 toml_quoted(is_pattern ? "*" : endpoint.model));
  if (number > 1)
    line += fmt::format(", tag = {}", toml_quoted(fmt::format("{}/{}", provider.name, number)));
  if (endpoint.is_free) {
    line += ", free = true";
  } else if (!endpoint.price.empty()) {
    line += fmt::format(", price = {{ {} }}", endpoint.price);
  }
  if (endpoint.context_tokens != 0)
    line += fmt::format(", context_tokens = {}", endpoint.context_tokens);
  if (endpoint.completion_tokens_max != 0) {
    line += fmt::format(", completion_tokens_max = {}", endpoint.completion_tokens_max);
  }
  return line + " },\n";
}

std::string Import::toml() const {
  std::string out =
      "# Made of a LiteLLM config.yaml by `leat import litellm`. Clients keep their "
      "base URL: http://HOST:8080/v1.\n";
  if (!notes_.empty()) out += "# Not carried over, or to be done:\n";
  for (const std::string& text : notes_) out += fmt::format("#   {}\n", text);
  out += "\n[server]\nlisten = [\"127.0.0.1:8080\"]\n";
  out += fmt::format(
      "\n# What was the master key; more keys: `leat keys create`, with [accounts]."
      "\n[[keys]]\nname = \"master\"\nsecret = {{ env = {} }}\n",
      toml_quoted(key_variable_));
  for (const ProviderDraft& provider : providers_) {
    out += fmt::format("\n[providers.{}]\nbase_url = {}\n", provider.name,
                       toml_quoted(provider.base_url));
    if (!provider.variable.empty()) {
      out += fmt::format("api_key = {{ env = {} }}\n", toml_quoted(provider.variable));
    }
    if (provider.base_url.starts_with("http:")) {
      out += "allow_private = true  # plain HTTP is for this host and networks of your own\n";
    }
  }
  for (const ModelDraft& model : models_) {
    out += '\n';
    for (const std::string& remark : model.remarks) out += fmt::format("# {}\n", remark);
    out += fmt::format("[[models]]\nid = {}\nendpoints = [\n", toml_quoted(model.id));
    std::vector<int> seen(providers_.size());
    for (const EndpointDraft& endpoint : model.endpoints) {
      out += endpoint_line(endpoint, providers_[endpoint.provider], ++seen[endpoint.provider]);
    }
    out += "]\n";
    if (model.is_embedding) out += "output = [\"embeddings\"]\n";
    if (model.request_ms != 0) out += fmt::format("request_ms_max = {}\n", model.request_ms);
    if (model.first_byte_ms != 0)
      out += fmt::format("first_byte_ms_max = {}\n", model.first_byte_ms);
  }
  if (!aliases_.empty()) out += "\n[aliases]\n";
  for (const auto& [from, to] : aliases_) {
    out += fmt::format("{} = {}\n", toml_quoted(from), toml_quoted(to));
  }
  if (!sort_.empty()) out += fmt::format("\n[routing]\nsort = {}\n", toml_quoted(sort_));
  if (attempts_ != 0 || request_ms_ != 0) out += "\n[limits]\n";
  if (attempts_ != 0) out += fmt::format("attempts_per_request_max = {}\n", attempts_);
  if (request_ms_ != 0) out += fmt::format("request_ms_max = {}\n", request_ms_);
  return out;
}

}  // namespace

CatalogueOutcome litellm_config_as_toml(std::string_view yaml, const Surroundings& surroundings) {
  std::string why;
  const auto root = parse_yaml(yaml, why);
  if (!root) return {.status = kExitConfig, .messages = why + "\n"};
  Import import(surroundings);
  import.read(*root);
  CatalogueOutcome outcome;
  for (const std::string& text : import.notes()) outcome.messages += text + "\n";
  if (!import.has_models()) {
    outcome.status = kExitConfig;
    outcome.messages += "no model of it can be served\n";
    return outcome;
  }
  outcome.output = import.toml();
  return outcome;
}

CatalogueOutcome import_litellm_config(const std::string& file, const Surroundings& surroundings) {
  const auto text = std::make_unique_for_overwrite<char[]>(kFileBytesMax);
  const Result<std::size_t> size = surroundings.read_file(file, {text.get(), kFileBytesMax});
  if (!size) {
    return {.status = kExitNoInput, .messages = fmt::format("{}: {}\n", file, size.error().what)};
  }
  return litellm_config_as_toml({text.get(), *size}, surroundings);
}

}  // namespace leat::control
