// SPDX-License-Identifier: Apache-2.0
#include "control/config_reference.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

#include "control/catalogue_reader.h"
#include "control/defaults.h"
#include "control/option_table.h"
#include "control/settings_reader.h"

namespace leat::control {
namespace {

constexpr std::string_view kHead =
    R"(# Configuration

Written by `leat help config` from the table that also reads the file; do not edit by hand.

Leat reads one TOML file: `leat serve --config FILE`. `leat check --config FILE` tells all faults at
once, each as `FILE:LINE: key: what is wrong and what to write`, and ends with status 78 if there is
one; a file with a fault is never used in part. Relative paths are taken from the file's folder.

Units stand in the names: `_ms` milliseconds, `_s` seconds, `_bytes` bytes, `_percent` of a hundred.
A name ending in `_max` is a limit. *Reload*: `live` settings change while Leat runs (`leat reload`,
SIGHUP), `fixed` ones need a restart or a takeover ([operating.md](operating.md)).

A *secret source* is `{ env = "NAME" }`, `{ file = "PATH" }` or `{ credential = "NAME" }`; secrets
themselves never stand in the file. Digest of a client key: `printf %s "$KEY" | sha256sum`.

## Example

```toml
[server]
listen = ["127.0.0.1:8080", "tls://0.0.0.0:8443"]
shards = 1
pin = [0]
[server.tls]
certificate = "cert.pem"
key = "key.pem"
[admin]
listen = "127.0.0.1:8081"
[auth]
mode = "keys"
[[keys]]
name = "dev"
secret = { env = "LEAT_DEV_KEY" }
[providers.openai]
base_url = "https://api.openai.com/v1"
api_key = { env = "OPENAI_API_KEY" }
[providers.local]
base_url = "http://127.0.0.1:8000/v1"
allow_private = true
[limits]
streams_per_key_max = 20000
[[models]]
id = "openai/gpt-4o-mini"
endpoints = [
  { provider = "openai", model = "gpt-4o-mini" },
  { provider = "local", model = "small" },
]
[[models]]
id = "openai/*"
endpoints = [{ provider = "openai", model = "*" }]
```

)";

constexpr std::string_view kFootHead =
    R"(## Without a file

`leat` alone listens on 127.0.0.1:8080, with health and metrics on 127.0.0.1:8081, and takes the
key in `LEAT_DEV_KEY`, or makes one up and prints it. Models `leat/simulated` and its variants are
served by the built-in provider. Each provider below is added if its variable is set, and serves
`NAME/MODEL` for every MODEL that it has.

| variable | models | base URL |
|---|---|---|
)";

template <class S>
std::string default_of(const Setting<S>& setting) {
  if (setting.fallback == "-") return "required";
  if (!setting.fallback.empty()) return std::string(setting.fallback);
  return std::visit(
      [](auto target) -> std::string {
        if constexpr (std::is_same_v<decltype(target), OwnForm>) {
          return target.fallback.empty() ? "" : fmt::format("{}", target.fallback);
        } else {
          return fmt::format("{}", S{}.*target);
        }
      },
      setting.target);
}

template <class S>
std::string form_of(const Setting<S>& setting) {
  return std::visit(
      [&](auto target) -> std::string {
        using Target = decltype(target);
        if constexpr (std::is_same_v<Target, OwnForm>) {
          return std::string(target.form);
        } else if constexpr (std::is_same_v<Target, bool S::*>) {
          return "true or false";
        } else if constexpr (std::is_same_v<Target, std::string S::*>) {
          return fmt::format("text, {} to {} bytes", setting.min, setting.max);
        } else {
          return fmt::format("{} to {}", setting.min, setting.max);
        }
      },
      setting.target);
}

template <class S>
std::string row(const Setting<S>& setting) {
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", setting.key, form_of(setting),
                     default_of(setting), setting.reload == Reload::kFixed ? "fixed" : "live",
                     setting.meaning);
}

template <class S>
std::string section(std::string_view heading, std::span<const Setting<S>> settings) {
  std::string text = fmt::format(
      "## `{}`\n\n| key | value | default | reload | meaning |\n|---|---|---|---|---|\n", heading);
  for (const Setting<S>& setting : settings) text += row(setting);
  return text + "\n";
}

// One table of the file that two parts of the program read: the rows of both, each key once.
template <class A, class B>
std::string section(std::string_view heading, std::span<const Setting<A>> first,
                    std::span<const Setting<B>> second) {
  std::string text = section(heading, first);
  text.pop_back();
  const std::vector<std::string_view> known = keys_of(first);
  for (const Setting<B>& setting : second) {
    if (std::find(known.begin(), known.end(), setting.key) != known.end()) continue;
    text += row(setting);
  }
  return text + "\n";
}

std::string quirks() {
  std::string text = "## Quirks of providers\n\n| `quirks` | what it means |\n|---|---|\n";
  for (std::size_t i = 0; i < policy::kQuirks; ++i) {
    text +=
        fmt::format("| `{}` | {} |\n", name_of(static_cast<policy::Quirk>(i)), quirk_meanings()[i]);
  }
  return text + "\n";
}

}  // namespace

std::string config_reference() {
  std::string text(kHead);
  text += section("[server]", server_settings());
  text += section("[server.tls]", server_tls_settings());
  text += section("server.listen[] as a table", listener_settings());
  text += section("[admin]", admin_settings());
  text += section("[accounts]", account_settings());
  text += section("[auth]", auth_settings());
  text += section("[[keys]]", key_settings());
  text += section("[keys.routing]", key_routing_settings());
  text += section("[keys.limits]", key_limit_settings());
  text += section("secret source", secret_settings());
  text += section("[providers.NAME]", provider_settings(), catalogue_provider_settings());
  text += quirks();
  text += section("[providers.NAME.simulated]", simulated_settings());
  text += section("[[models]]", model_settings(), catalogue_model_settings());
  text += section("models.endpoints[]", endpoint_settings(), catalogue_endpoint_settings());
  text += section("[routing]", routing_settings());
  text += section("[hold]", hold_settings());
  text += section("[ledger]", ledger_settings());
  text += section("[log]", log_settings());
  text += section("[content_log]", content_log_settings());
  text += section("[trace]", trace_settings());
  text += section("[limits]", limit_settings());
  text += kFootHead;
  for (const KnownProvider& known : known_providers()) {
    text += fmt::format("| `{}` | `{}/*`", known.variable, known.name);
    if (!known.author.empty()) text += fmt::format(", `{}/*`", known.author);
    text += fmt::format(" | {} |\n", known.base_url);
  }
  return text;
}

}  // namespace leat::control
