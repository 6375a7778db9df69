// SPDX-License-Identifier: Apache-2.0
#include "control/config_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>

#include "control/account_text.h"
#include "control/addresses.h"
#include "control/catalogue_reader.h"
#include "control/catalogue_text.h"
#include "control/change_list.h"
#include "control/config_sections.h"
#include "control/redaction.h"
#include "policy/account.h"

namespace leat::control {
namespace {

using gateway::RoutedCatalogue;

// ---- Settings of a form of their own, as the file would write them

std::string source_text(const SecretSource& source) {
  if (source.kind == SecretSource::Kind::kNone) return "none";
  return fmt::format("{{ {} = {} }}",
                     source.kind == SecretSource::Kind::kEnvironment ? "env" : "file",
                     toml_quoted(source.name));
}

std::string url_text(const BaseUrl& url) {
  if (url.host.empty()) return "none";
  return toml_quoted(
      fmt::format("{}://{}{}", url.tls ? "https" : "http", url.authority, url.path_prefix));
}

std::string listener_text(const Listener& listener) {
  const std::string address =
      toml_quoted(fmt::format("{}{}", listener.tls ? "tls://" : "", to_string(listener)));
  if (!listener.half_close_allowed) return address;
  return fmt::format("{{ address = {}, half_close = \"allow\" }}", address);
}

std::string names_text(const std::vector<std::string>& names) {
  return toml_list(names, toml_quoted);
}

// Percent of millionths: 10,000 of them are 1 %.
std::string percent_text(std::int64_t ppm) {
  constexpr std::int64_t kBillionthsPerPpm = 100'000;
  return toml_quoted(dollars_text(ppm * kBillionthsPerPpm));
}

template <class Choice>
std::string chosen(std::span<const std::string_view> words, Choice choice) {
  return toml_quoted(words[static_cast<std::size_t>(choice)]);
}

constexpr std::array<TextOf<ServerOptions>, 5> kServerTexts{{
    {"listen", [](const ServerOptions& s) { return toml_list(s.listen, listener_text); }},
    {"pin", [](const ServerOptions& s) { return fmt::format("[{}]", fmt::join(s.pin, ", ")); }},
    {"hardening", [](const ServerOptions& s) { return chosen(kHardeningWords, s.hardening); }},
    {"steering", [](const ServerOptions& s) { return chosen(kSteeringWords, s.steering); }},
    {"huge_pages", [](const ServerOptions& s) { return chosen(kHugePageWords, s.huge_pages); }},
}};

constexpr std::array<TextOf<AdminOptions>, 2> kAdminTexts{{
    {"listen",
     [](const AdminOptions& a) { return a.enabled ? listener_text(a.listen) : toml_quoted(""); }},
    {"operator_key", [](const AdminOptions& a) { return source_text(a.operator_key); }},
}};

constexpr std::array<TextOf<AccountSettings>, 1> kAccountTexts{{
    {"master_key", [](const AccountSettings& a) { return source_text(a.master_key); }},
}};

constexpr std::array<TextOf<LedgerSettings>, 1> kLedgerTexts{{
    {"mode", [](const LedgerSettings& l) { return chosen(kDurabilityWords, l.mode); }},
}};

constexpr std::array<TextOf<LogSettings>, 2> kLogTexts{{
    {"access", [](const LogSettings& l) { return chosen(kAccessWords, l.access); }},
    {"access_file",
     [](const LogSettings& l) { return toml_quoted(l.access_file.empty() ? "-" : l.access_file); }},
}};

// Those of `known` whose bits are set.
std::string words_text(std::uint32_t bits, std::span<const std::string_view> known) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < known.size(); ++i) {
    if ((bits >> i & 1) != 0) words.emplace_back(known[i]);
  }
  return names_text(words);
}

constexpr std::array<TextOf<ContentLogSettings>, 2> kContentLogTexts{{
    {"parts",
     [](const ContentLogSettings& c) {
       constexpr std::array<std::string_view, 2> kParts = {"request", "answer"};
       return words_text((c.logs_requests ? 1U : 0U) | (c.logs_answers ? 2U : 0U), kParts);
     }},
    {"redact", [](const ContentLogSettings& c) { return words_text(c.redact, kRedactNames); }},
}};

constexpr std::array<TextOf<TraceSettings>, 3> kTraceTexts{{
    {"endpoint", [](const TraceSettings& t) { return url_text(t.endpoint); }},
    {"secret", [](const TraceSettings& t) { return source_text(t.secret); }},
    {"sample_percent", [](const TraceSettings& t) { return percent_text(t.sample_ppm); }},
}};

constexpr std::array<TextOf<RoutingOptions>, 1> kRoutingTexts{{
    {"sort", [](const RoutingOptions& r) { return chosen(kSortWords, r.sort); }},
}};

constexpr std::array<TextOf<HoldOptions>, 1> kHoldTexts{{
    {"mode", [](const HoldOptions& h) { return chosen(kHoldWords, h.mode); }},
}};

constexpr std::array<TextOf<KeyRouting>, 4> kKeyRoutingTexts{{
    {"only", [](const KeyRouting& r) { return r.has_only ? names_text(r.only) : "none"; }},
    {"ignore", [](const KeyRouting& r) { return names_text(r.ignore); }},
    {"regions",
     [](const KeyRouting& r) { return r.regions.empty() ? "none" : names_text(r.regions); }},
    {"data_collection",
     [](const KeyRouting& r) { return toml_quoted(r.deny_data_collection ? "deny" : "allow"); }},
}};

constexpr std::array<TextOf<KeyLimits>, 3> kKeyLimitTexts{{
    {"budget_usd_max",
     [](const KeyLimits& l) {
       return l.budget_nanodollars_max == KeyLimits::kNoBudget
                  ? "none"
                  : toml_quoted(dollars_text(l.budget_nanodollars_max));
     }},
    {"budget_period",
     [](const KeyLimits& l) {
       return toml_quoted(
           l.budget_period == BudgetPeriod::kNone ? "none" : policy::name_of(l.budget_period));
     }},
    {"markup_percent", [](const KeyLimits& l) { return percent_text(l.markup_ppm); }},
}};

constexpr std::array<TextOf<Provider>, 6> kProviderTexts{{
    {"format", [](const Provider& p) { return chosen(kFormatWords, p.format); }},
    {"base_url", [](const Provider& p) { return url_text(p.base_url); }},
    {"protocol", [](const Provider& p) { return chosen(kProtocolWords, p.protocol); }},
    {"delayed_acks", [](const Provider& p) { return chosen(kDelayedAckWords, p.delayed_acks); }},
    // One and several are two settings of the file for one list.
    {"api_key",
     [](const Provider& p) {
       return p.api_keys.size() == 1 ? source_text(p.api_keys.front()) : "none";
     }},
    {"api_keys",
     [](const Provider& p) {
       return p.api_keys.size() > 1 ? toml_list(p.api_keys, source_text) : "none";
     }},
}};

// ---- What follows from another setting

// The number that `fallback` of a row names ("limits.dns_ms_max", "routing.hedge"); none: it names
// no setting.
std::optional<std::uint64_t> named_value(std::string_view fallback, const Options& options) {
  if (fallback == "routing.hedge") return options.routing.hedge;
  if (fallback == "hold.ms_max") return options.hold.ms_max;
  constexpr std::string_view kLimits = "limits.";
  if (!fallback.starts_with(kLimits)) return {};
  fallback.remove_prefix(kLimits.size());
  const std::string_view key = fallback.substr(0, fallback.find(','));
  for (const Setting<Limits>& row : limit_settings()) {
    if (row.key != key) continue;
    if (const auto* narrow = std::get_if<std::uint32_t Limits::*>(&row.target)) {
      return options.limits.**narrow;
    }
  }
  return {};
}

template <class S>
std::optional<std::uint64_t> plain_value(const Setting<S>& row, const S& side) {
  if (const auto* narrow = std::get_if<std::uint32_t S::*>(&row.target)) return side.**narrow;
  if (const auto* flag = std::get_if<bool S::*>(&row.target)) return side.**flag;
  return {};
}

// What the row is if it is not written.
std::optional<std::uint64_t> unwritten(const Setting<Provider>& row, const Provider&,
                                       const Options& options) {
  return named_value(row.fallback, options);
}
std::optional<std::uint64_t> unwritten(const Setting<Model>& row, const Model& model,
                                       const Options& options) {
  const auto common = named_value(row.fallback, options);
  if (row.key != "first_byte_ms_min" || !common) return common;
  return std::min<std::uint64_t>(*common, model.first_byte_ms_max);
}

// ---- The comparison

class Comparison {
 public:
  Comparison(const Options& before, const Options& after, const RoutedCatalogue* catalogue_before,
             const RoutedCatalogue* catalogue_after)
      : a_(before), b_(after), known_a_(catalogue_before), known_b_(catalogue_after) {}

  std::vector<ConfigChange> run();

 private:
  bool has_catalogues() const { return known_a_ != nullptr && known_b_ != nullptr; }
  // Both sides have what the common setting says: told there.
  template <class S>
  auto follows(const S& a, const S& b) const {
    return [this, &a, &b](const Setting<S>& row) {
      const auto common = unwritten(row, a, a_);
      return common && plain_value(row, a) == common &&
             plain_value(row, b) == unwritten(row, b, b_);
    };
  }
  void keys();
  void key(const ClientKey& a, const ClientKey& b);
  void providers();
  void provider(const Provider& a, const Provider& b);
  void models();
  void known_models();
  // What Options alone say of a model.
  void model(const std::string& path, const Model& a, const Model& b);
  std::string endpoints_text(const Options& options, const Model& model) const;

  const Options& a_;
  const Options& b_;
  const RoutedCatalogue* known_a_;
  const RoutedCatalogue* known_b_;
  ChangeList changes_;
};

void Comparison::key(const ClientKey& a, const ClientKey& b) {
  if (a == b) return;
  const std::string path = path_of("keys", a.name);
  const auto is_read = [](const ClientKey& key) {
    return key.secret.kind != SecretSource::Kind::kNone;
  };
  const bool is_other = a.sha256 != b.sha256;
  changes_.setting(path, "sha256", is_read(a) ? "none" : "(a key)",
                   is_read(b)                ? "none"
                   : is_other && !is_read(a) ? "(another key)"
                                             : "(a key)");
  // The same place, and something else in it.
  const bool is_rotated = is_other && is_read(a) && a.secret == b.secret;
  changes_.setting(path, "secret", source_text(a.secret),
                   source_text(b.secret) + (is_rotated ? " (another key)" : ""));
  add_changes(path, key_settings(), {}, a, b, changes_);
  add_changes(path_of(path, "routing"), key_routing_settings(), kKeyRoutingTexts, a.routing,
              b.routing, changes_);
  add_changes(path_of(path, "limits"), key_limit_settings(), kKeyLimitTexts, a.limits, b.limits,
              changes_);
}

// Without those that a reload took away.
std::vector<ClientKey> keys_of(const Options& options) {
  std::vector<ClientKey> keys;
  std::ranges::remove_copy_if(options.keys, std::back_inserter(keys), &ClientKey::is_removed);
  return keys;
}

void Comparison::keys() {
  match_by_name(
      keys_of(a_), keys_of(b_), [](const ClientKey& key) -> std::string_view { return key.name; },
      [&](const ClientKey& gone) { changes_.removed(path_of("keys", gone.name)); },
      [&](const ClientKey& come) { changes_.added(path_of("keys", come.name)); },
      [&](const ClientKey& a, const ClientKey& b) { key(a, b); });
}

void Comparison::provider(const Provider& a, const Provider& b) {
  const std::string path = path_of("providers", a.name);
  const auto is_followed = follows(a, b);
  add_changes(
      path, provider_settings(), kProviderTexts, a, b,
      [&](const Setting<Provider>& row) {
        return is_followed(row) || (has_catalogues() && row.key == "display_name");
      },
      changes_);
  add_changes(path_of(path, "simulated"), simulated_settings(), {}, a.simulated, b.simulated,
              changes_);
}

void Comparison::providers() {
  match_by_name(
      a_.providers, b_.providers, [](const Provider& one) -> std::string_view { return one.name; },
      [&](const Provider& gone) { changes_.removed(path_of("providers", gone.name)); },
      [&](const Provider& come) { changes_.added(path_of("providers", come.name)); },
      [&](const Provider& a, const Provider& b) { provider(a, b); });
  if (has_catalogues()) add_provider_facts(*known_a_, *known_b_, a_, b_, changes_);
}

std::string Comparison::endpoints_text(const Options& options, const Model& model) const {
  return toml_list(model.endpoints, [&](const Endpoint& endpoint) {
    return fmt::format("{{ provider = {}, model = {} }}",
                       toml_quoted(options.providers[endpoint.provider].name),
                       toml_quoted(endpoint.model));
  });
}

void Comparison::model(const std::string& path, const Model& a, const Model& b) {
  const auto is_followed = follows(a, b);
  const auto is_known = [&](std::string_view key) {
    const auto rows = catalogue_model_settings();
    return has_catalogues() &&
           std::any_of(rows.begin(), rows.end(), [&](const auto& row) { return row.key == key; });
  };
  add_changes(
      path, model_settings(), {}, a, b,
      [&](const Setting<Model>& row) { return is_followed(row) || is_known(row.key); }, changes_);
  if (has_catalogues()) return;
  changes_.setting(path, "endpoints", endpoints_text(a_, a), endpoints_text(b_, b));
}

// A model of a file of the catalogue: its times are the common ones, but for what [[models]] says.
Model unwritten_model(const Options& options) {
  Model model;
  model.first_byte_ms_max = options.limits.first_byte_ms_max;
  model.first_byte_ms_min = std::min(options.limits.first_byte_ms_min, model.first_byte_ms_max);
  model.chunk_gap_ms_max = options.limits.chunk_gap_ms_max;
  model.request_ms_max = options.limits.request_ms_max;
  model.hedge = options.routing.hedge;
  model.hold_ms_max = options.hold.ms_max;
  return model;
}

void Comparison::known_models() {
  const auto index = [](const Options& options) {
    std::unordered_map<std::string_view, const Model*> by_id;
    for (const Model& model : options.models) by_id.emplace(model.id, &model);
    return by_id;
  };
  const auto said_before = index(a_);
  const auto said_after = index(b_);
  const Model common_before = unwritten_model(a_);
  const Model common_after = unwritten_model(b_);
  const auto said = [](const auto& by_id, std::string_view id,
                       const Model& common) -> const Model& {
    const auto found = by_id.find(id);
    return found == by_id.end() ? common : *found->second;
  };
  match_by_name(
      known_a_->catalogue.models(), known_b_->catalogue.models(),
      [](const policy::Model& model) { return model.id; },
      [&](const policy::Model& gone) { changes_.removed(path_of("models", gone.id)); },
      [&](const policy::Model& come) { changes_.added(path_of("models", come.id)); },
      [&](const policy::Model& a, const policy::Model& b) {
        model(path_of("models", a.id), said(said_before, a.id, common_before),
              said(said_after, a.id, common_after));
        add_model_facts(*known_a_, a, *known_b_, b, changes_);
      });
  add_aliases(known_a_->catalogue, known_b_->catalogue, changes_);
}

void Comparison::models() {
  if (has_catalogues()) return known_models();
  match_by_name(
      a_.models, b_.models, [](const Model& one) -> std::string_view { return one.id; },
      [&](const Model& gone) { changes_.removed(path_of("models", gone.id)); },
      [&](const Model& come) { changes_.added(path_of("models", come.id)); },
      [&](const Model& a, const Model& b) { model(path_of("models", a.id), a, b); });
}

std::vector<ConfigChange> Comparison::run() {
  add_changes("server", server_settings(), kServerTexts, a_.server, b_.server, changes_);
  add_changes("server.tls", server_tls_settings(), {}, a_.server, b_.server, changes_);
  add_changes("admin", admin_settings(), kAdminTexts, a_.admin, b_.admin, changes_);
  add_changes("accounts", account_settings(), kAccountTexts, a_.accounts, b_.accounts, changes_);
  const auto mode = [](const Options& options) { return chosen(kAuthWords, options.auth_mode); };
  changes_.setting("auth", "mode", mode(a_), mode(b_), auth_settings().front().reload);
  keys();
  providers();
  models();
  add_changes("routing", routing_settings(), kRoutingTexts, a_.routing, b_.routing, changes_);
  add_changes("hold", hold_settings(), kHoldTexts, a_.hold, b_.hold, changes_);
  add_changes("ledger", ledger_settings(), kLedgerTexts, a_.ledger, b_.ledger, changes_);
  add_changes("log", log_settings(), kLogTexts, a_.log, b_.log, changes_);
  add_changes("content_log", content_log_settings(), kContentLogTexts, a_.content_log,
              b_.content_log, changes_);
  add_changes("trace", trace_settings(), kTraceTexts, a_.trace, b_.trace, changes_);
  add_changes("limits", limit_settings(), {}, a_.limits, b_.limits, changes_);
  return changes_.take();
}

}  // namespace

std::vector<ConfigChange> config_changes(const Options& running, const Options& next,
                                         const RoutedCatalogue* running_catalogue,
                                         const RoutedCatalogue* next_catalogue) {
  return Comparison(running, next, running_catalogue, next_catalogue).run();
}

}  // namespace leat::control
