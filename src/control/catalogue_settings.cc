// SPDX-License-Identifier: Apache-2.0
// The rows of the catalogue's settings. Names that the API has too mean the same there.
#include <array>

#include "control/catalogue_reader.h"

namespace leat::control {
namespace {

constexpr std::int64_t kTextMax = 256;
constexpr std::int64_t kUrlMax = 1'024;
constexpr std::int64_t kDescriptionMax = 16 * 1024;
constexpr std::int64_t kTokensMax = 1'000'000'000;
constexpr std::int64_t kUnixSecondsMax = 253'402'300'799;  // the end of the year 9999
constexpr Reload kLive = Reload::kLive;

constexpr std::array<Setting<DraftProvider>, 11> kProvider{{
    {"display_name", &DraftProvider::display_name, 1, 128, kLive,
     "`provider` in answers of `/api/v1`.", "the name"},
    {"privacy_policy_url", &DraftProvider::privacy_policy_url, 0, kUrlMax, kLive,
     "Shown by `GET /providers`."},
    {"terms_of_service_url", &DraftProvider::terms_of_service_url, 0, kUrlMax, kLive, "The same."},
    {"status_page_url", &DraftProvider::status_page_url, 0, kUrlMax, kLive, "The same."},
    {"headquarters", &DraftProvider::headquarters, 0, 16, kLive,
     "ISO 3166 code of its country; shown by `GET /providers`."},
    {"datacenters", OwnForm{"array of text", "[]"}, 0, 0, kLive, "The same, of its machines."},
    {"data", OwnForm{"table", "the worst: it trains, and keeps for an unknown time"}, 0, 0, kLive,
     "What becomes of prompts: `{ trains = false, publishes = false, retention_days = 0 }`. What "
     "is not stated is taken to be the worst. An endpoint may say otherwise."},
    {"quirks", OwnForm{"array of text", "what is known of its host, else []"}, 0, 0, kLive,
     "How it strays from the format that it speaks: names of the table of quirks below."},
    {"rejects", OwnForm{"array of text", "what is known of its host, else []"}, 0, 0, kLive,
     "Parameters of a request that it answers with 400; never sent to it."},
    {"reasoning_in", &DraftProvider::reasoning_in, 0, 64, kLive,
     "The field it is asked for reasoning in: `reasoning` or `reasoning_effort`, each made from "
     "the "
     "other; `none`: left out; `as_sent`: as the client spelt it.",
     "what is known of its host, else as sent"},
    {"reasoning_out", &DraftProvider::reasoning_out, 0, 64, kLive,
     "The field it gives reasoning in, and takes that of earlier turns back in: `reasoning` or "
     "`reasoning_content`; `none`: it takes none back; `as_sent`: as the client spelt it.",
     "what is known of its host, else as sent"},
}};

constexpr std::array<Setting<DraftModel>, 23> kModel{{
    {"id", &DraftModel::id, 1, kTextMax, kLive, "What clients ask for: `author/slug`.", "-"},
    {"name", &DraftModel::name, 1, kTextMax, kLive, "For people.", "the id"},
    {"endpoints", OwnForm{"array of 1 to 64 tables", "required"}, 0, 0, kLive, "Who serves it."},
    {"created_unix_s", &DraftModel::created_unix_s, 0, kUnixSecondsMax, kLive,
     "`created` in listings; the newest of a family is its latest."},
    {"context_tokens", &DraftModel::context_tokens, 0, kTokensMax, kLive,
     "Length of its context; 0 = not known."},
    {"canonical_slug", &DraftModel::canonical_slug, 0, kTextMax, kLive,
     "The id with a date; a second name of the model.", "the id"},
    {"family", &DraftModel::family, 0, kTextMax, kLive,
     "Makes `~author/FAMILY-latest` a name of its newest model."},
    {"description", &DraftModel::description, 0, kDescriptionMax, kLive, "For people."},
    {"hugging_face_id", &DraftModel::hugging_face_id, 0, kTextMax, kLive, "Shown by listings."},
    {"tokenizer", &DraftModel::tokenizer, 0, kTextMax, kLive, "Shown by listings."},
    {"instruct_type", &DraftModel::instruct_type, 0, kTextMax, kLive, "Shown by listings."},
    {"knowledge_cutoff", &DraftModel::knowledge_cutoff, 0, 32, kLive, "Shown by listings."},
    {"default_parameters_json", &DraftModel::default_parameters_json, 0, 4'096, kLive,
     "A JSON object, shown by listings."},
    {"expires_unix_s", &DraftModel::expires_unix_s, 0, kUnixSecondsMax, kLive,
     "When it goes away; 0 = not known to."},
    {"output_default_max", &DraftModel::output_default_max, 0, kTokensMax, kLive,
     "The output cap of a request that states none; 0 = the endpoint's."},
    {"input", OwnForm{"array of text", "[\"text\"]"}, 0, 0, kLive,
     "Modalities it takes: `text`, `image`, `file`, `audio`, `video`."},
    {"output", OwnForm{"array of text", "[\"text\"]"}, 0, 0, kLive, "Modalities it gives."},
    {"parameters", OwnForm{"array of text", "[]"}, 0, 0, kLive,
     "Parameters that its endpoints support, where they do not say so themselves."},
    {"reasoning", OwnForm{"table", "none"}, 0, 0, kLive,
     "How it reasons: `{ efforts = [\"high\", \"low\"], default_effort = \"low\", "
     "default_enabled = true, supports_max_tokens = true, mandatory = false }`."},
    {"distillable", &DraftModel::distillable, 0, 0, kLive,
     "Whether its author allows training on its text."},
    {"moderated", &DraftModel::moderated, 0, 0, kLive, "Whether its provider filters content."},
    {"hidden", &DraftModel::hidden, 0, 0, kLive, "Served, but not listed."},
    {"open_weights", &DraftModel::open_weights, 0, 0, kLive, "Whether its weights are public."},
}};

constexpr std::array<Setting<DraftEndpoint>, 18> kEndpoint{{
    {"provider", &DraftEndpoint::provider, 1, 128, kLive, "Name of a table under `[providers]`.",
     "-"},
    {"model", &DraftEndpoint::model, 1, kTextMax, kLive, "The provider's own name for the model.",
     "-"},
    {"tag", &DraftEndpoint::tag, 0, kTextMax, kLive,
     "What `provider.only` and the like call it, if a model has several at one provider: "
     "`deepinfra/turbo`.",
     "the provider"},
    {"region", &DraftEndpoint::region, 0, 64, kLive, "Where it stands: `eu`, `us`."},
    {"price", OwnForm{"table", "required in a catalogue"}, 0, 0, kLive,
     "Dollars, by class, as text or whole numbers: tokens a million (`prompt`, `completion`, "
     "`input_cache_read`, `internal_reasoning` and others), and `request`, `image` and "
     "`web_search` apiece: `{ prompt = \"0.15\", completion = \"0.60\" }`."},
    {"overrides", OwnForm{"array of tables", "[]"}, 0, 0, kLive,
     "Prices under conditions: `prompt_tokens_over`, `utc_start` and `utc_end` (\"HHMM\"), "
     "`utc_days` (0 is Sunday), and a `price` with the classes that change. Later ones win."},
    {"free", OwnForm{"true, or an array of price classes", "false"}, 0, 0, kLive,
     "What may cost nothing. A price that is 0 or missing is a fault without it."},
    {"context_tokens", &DraftEndpoint::context_tokens, 0, kTokensMax, kLive,
     "Prompt and output together.", "the model's"},
    {"prompt_tokens_max", &DraftEndpoint::prompt_tokens_max, 0, kTokensMax, kLive,
     "Longest prompt; 0 = the context."},
    {"completion_tokens_max", &DraftEndpoint::completion_tokens_max, 0, kTokensMax, kLive,
     "Longest output; 0 = the context."},
    {"parameters", OwnForm{"array of text", "the model's"}, 0, 0, kLive,
     "Parameters that it supports."},
    {"tool_choices", OwnForm{"array of text", "all, if `tool_choice` is supported"}, 0, 0, kLive,
     "Forms of `tool_choice` it understands: `auto`, `none`, `required`, `function`."},
    {"data", OwnForm{"table", "the provider's"}, 0, 0, kLive, "As the provider's, for this one."},
    {"tier", OwnForm{"\"default\", \"flex\" or \"priority\"", "\"default\""}, 0, 0, kLive,
     "Service tier."},
    {"quantization", OwnForm{"text", "\"unknown\""}, 0, 0, kLive,
     "`int4 int8 fp4 mxfp4 nvfp4 fp6 fp8 mxfp8 fp16 bf16 fp32 unknown`."},
    {"variant", OwnForm{"text", "none"}, 0, 0, kLive,
     "The variant it serves: `free`, `extended`, `thinking` or `batch`."},
    {"implicit_caching", &DraftEndpoint::implicit_caching, 0, 0, kLive,
     "Whether prompts are cached unasked."},
    {"disabled", &DraftEndpoint::disabled, 0, 0, kLive, "Known, but not to be asked."},
}};

constexpr std::array<std::string_view, policy::kQuirks> kQuirkMeanings = {
    "It refuses `max_tokens`: the cap is sent as `max_completion_tokens`.",
    "The other way round.",
    "It knows no role `developer`: sent as `system`.",
    "It refuses `stream_options`: left out.",
    "It refuses `strict` in a tool: left out.",
    "It refuses `tool_choice: \"required\"`: sent as `\"any\"`.",
    "It refuses a stream with a response schema. Nothing is changed yet.",
    "It refuses `tools: []`: left out.",
    "A turn with tool calls needs its reasoning back, which the client has to send; it goes under "
    "the "
    "name of `reasoning_out`.",
    "`completion_tokens` leaves reasoning out: seen by the sums of every provider's `usage`, and "
    "added.",
    "It repeats a growing `usage`: of every provider the last one counts.",
    "It gives `usage` inside a choice: found there of every provider.",
    "Its chunks lack keys: those of every provider are completed for `/api/v1`.",
    "It ends a stream without `[DONE]`: of every provider a finish reason is an end too.",
    "It gives no finish reason: `[DONE]` is an end too, and without both a stream was cut.",
    "It refuses members of messages and tools that OpenAI's API lacks: `cache_control`, "
    "`annotations`, `images` and `reasoning_details` are left out.",
    "`seed` is sent as `random_seed`.",
    "It runs OpenRouter's server tools (`openrouter:...`): a request with one goes to such a "
    "provider "
    "or is refused.",
    "It carries on an assistant's text that stands last: it may take over a broken stream "
    "(`continuation`).",
    "The same, if the message has `prefix: true`, and it does not say the text again.",
    "The same with `partial: true`.",
    "The same with `add_generation_prompt: false, continue_final_message: true` in the request.",
};
static_assert(!kQuirkMeanings.back().empty());

}  // namespace

std::span<const std::string_view> quirk_meanings() {
  return kQuirkMeanings;
}
std::span<const Setting<DraftProvider>> catalogue_provider_settings() {
  return kProvider;
}
std::span<const Setting<DraftModel>> catalogue_model_settings() {
  return kModel;
}
std::span<const Setting<DraftEndpoint>> catalogue_endpoint_settings() {
  return kEndpoint;
}

}  // namespace leat::control
