// SPDX-License-Identifier: Apache-2.0
// Management's /byok: the provider keys that a workspace brought. A key comes in and never goes
// out again.
#include <fmt/format.h>
#include <string.h>

#include <algorithm>

#include "control/account_text.h"
#include "control/listing_json.h"
#include "control/management_parts.h"
#include "policy/own_key.h"

namespace leat::control {
namespace {

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kPageMax = 100;
constexpr std::size_t kNameMax = 256;
constexpr std::size_t kSecretMax = 8 * 1024;  // as SecretText
// Whatever is shorter is a slip of the hand, or can be guessed.
constexpr std::size_t kSecretMin = 8;

std::string list_or_null(const std::optional<std::vector<std::string>>& list) {
  return list ? list_json(*list) : "null";
}

std::string byok_json(const ProviderKeyRecord& record) {
  return fmt::format(
      R"({{"id":"{}","workspace_id":"{}","provider":{},"name":{},"label":{},"disabled":{},)"
      R"("is_fallback":{},"is_required":{},"is_byok_only":false,"declared_zdr":null,)"
      R"("sort_order":{},"allowed_models":{},"allowed_api_key_hashes":{},"allowed_user_ids":{},)"
      R"("created_at":"{}"}})",
      record.uuid, record.workspace_uuid, json_text(record.provider),
      record.name.empty() ? "null" : json_text(record.name), json_text(record.label),
      !record.is_enabled, record.is_fallback, record.is_required, record.sort_order,
      list_or_null(record.allowed_models), list_or_null(record.allowed_key_hashes),
      list_or_null(record.allowed_users), iso_time(record.created_at));
}

// It becomes part of a header field.
bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

// Azure's, Bedrock's and Vertex's are JSON, and nobody here speaks to them.
bool is_object(std::string_view key) {
  return key.starts_with('{') || key.starts_with('[');
}

// Wipes a text that held a secret. Copies that the parser made before are beyond it: the body came
// over a listener's buffers, too.
class Wiped {
 public:
  ~Wiped() { explicit_bzero(text.data(), text.capacity()); }
  std::string text;
};

}  // namespace

StoreResult<policy::AccountId> ManagementByok::workspace(std::string_view reference) const {
  const auto found = store_.workspace(call_.request.actor.organisation, reference);
  if (!found) return std::unexpected(found.error());
  return found->workspace.id;
}

ManagementAnswer ManagementByok::handle() {
  if (call_.parts.size() == 1) {
    if (call_.is("GET")) return list();
    return call_.is("POST") ? create() : method_not_allowed();
  }
  auto record = store_.provider_key(call_.parts[1]);
  if (!record) return refusal(record.error());
  if (!workspace(record->workspace_uuid)) return refusal(404, "There is no such key.");
  return one(std::move(*record));
}

ManagementAnswer ManagementByok::list() {
  const auto offset = call_.count("offset", 0, INT32_MAX);
  const auto limit = call_.count("limit", kPage, kPageMax);
  if (!offset || !limit || *limit == 0) {
    return refusal(400, "`offset` and `limit` must be whole numbers, `limit` from 1 to 100.");
  }
  std::vector<ProviderKeyRecord> all;
  const auto add = [&](policy::AccountId id) -> StoreResult<void> {
    auto keys = store_.provider_keys(id);
    if (!keys) return std::unexpected(keys.error());
    std::ranges::move(*keys, std::back_inserter(all));
    return {};
  };
  if (const auto reference = call_.parameter("workspace_id")) {
    const auto id = workspace(*reference);
    if (!id) return refusal(id.error());
    if (const auto done = add(*id); !done) return refusal(done.error());
  } else {
    const auto workspaces = store_.workspaces(call_.request.actor.organisation);
    if (!workspaces) return refusal(workspaces.error());
    for (const WorkspaceRecord& each : *workspaces) {
      if (const auto done = add(each.workspace.id); !done) return refusal(done.error());
    }
  }
  if (const auto provider = call_.parameter("provider")) {
    std::erase_if(all, [&](const ProviderKeyRecord& each) { return each.provider != *provider; });
  }
  std::string items;
  const std::size_t begin = std::min(static_cast<std::size_t>(*offset), all.size());
  const std::size_t end = std::min(begin + static_cast<std::size_t>(*limit), all.size());
  for (std::size_t i = begin; i < end; ++i) {
    if (!items.empty()) items += ',';
    items += byok_json(all[i]);
  }
  return {200, fmt::format(R"({{"data":[{}],"total_count":{}}})", items, all.size())};
}

void ManagementByok::read(ManagementBody& body, ProviderKeyRecord& record,
                          std::string& secret) const {
  bool is_disabled = !record.is_enabled;
  body.flag("disabled", is_disabled);
  record.is_enabled = !is_disabled;
  body.nullable_text("name", kNameMax, record.name);
  body.flag("is_fallback", record.is_fallback);
  body.flag("is_required", record.is_required);
  body.integer("sort_order", 0, INT32_MAX, record.sort_order);
  body.list("allowed_models", record.allowed_models);
  body.list("allowed_api_key_hashes", record.allowed_key_hashes);
  body.list("allowed_user_ids", record.allowed_users);
  body.refuse_set({"declared_zdr", "is_byok_only"});
  body.text("key", kSecretMax, secret);
  if (!secret.empty() && (secret.size() < kSecretMin || !is_visible(secret))) {
    body.complain("`key` must be 8 bytes or more of visible ASCII.");
  }
  if (is_object(secret)) {
    body.complain("`key` must be a plain key: keys that are objects are not served here.");
  }
  if (record.is_fallback && record.is_required) {
    body.complain("`is_fallback` and `is_required` contradict each other.");
  }
}

ManagementAnswer ManagementByok::create() {
  if (!master_) return refusal(400, "No master key is configured, so no provider key is kept.");
  ProviderKeyRecord wanted;
  Wiped secret;
  std::string reference = "default";
  ManagementBody body(call_.request.body);
  read(body, wanted, secret.text);
  body.text("provider", kNameMax, wanted.provider);
  body.text("workspace_id", kNameMax, reference);
  if (wanted.provider.empty()) body.complain("`provider` must be given.");
  if (secret.text.empty()) body.complain("`key` must be given.");
  if (auto fault = body.fault()) return *fault;
  const auto id = workspace(reference);
  if (!id) return refusal(id.error());
  wanted.workspace = *id;
  const auto others = store_.provider_keys(*id);
  if (!others) return refusal(others.error());
  if (others->size() >= policy::kOwnKeysMax) {
    return refusal(400, "A workspace has 64 provider keys at most.");
  }
  const auto created = store_.create(wanted, secret.text, *master_, call_.unix_now());
  if (!created) return refusal(created.error());
  return {201, "{\"data\":" + byok_json(*created) + "}"};
}

ManagementAnswer ManagementByok::one(ProviderKeyRecord record) {
  if (call_.is("GET")) return {200, "{\"data\":" + byok_json(record) + "}"};
  if (call_.is("DELETE")) {
    const auto removed = store_.remove_provider_key(record.id);
    return removed ? deleted() : refusal(removed.error());
  }
  if (!call_.is("PATCH")) return method_not_allowed();
  Wiped secret;
  ManagementBody body(call_.request.body);
  read(body, record, secret.text);
  if (auto fault = body.fault()) return *fault;
  if (!secret.text.empty()) {
    if (!master_) return refusal(400, "No master key is configured, so no provider key is kept.");
    const auto replaced = store_.replace_secret(record.id, secret.text, *master_, call_.unix_now());
    if (!replaced) return refusal(replaced.error());
  }
  const auto updated = store_.update(record, call_.unix_now());
  if (!updated) return refusal(updated.error());
  const auto now = store_.provider_key(record.uuid);
  return now ? ManagementAnswer{200, "{\"data\":" + byok_json(*now) + "}"} : refusal(now.error());
}

}  // namespace leat::control
