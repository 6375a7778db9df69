// SPDX-License-Identifier: Apache-2.0
#include "control/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <optional>

#include "control/account_command_line.h"
#include "control/config_reference.h"
#include "control/ledger_command_line.h"
#include "leat/version.h"

namespace leat::control {
namespace {

Command printed(std::string text, int status) {
  if (!text.ends_with('\n')) text += '\n';
  return {.kind = Command::Kind::kPrint, .text = std::move(text), .status = status};
}

// `leat catalogue`, with what its own commands were given.
struct CatalogueCommands {
  CLI::App* import = nullptr;
  CLI::App* diff = nullptr;
  CLI::App* show = nullptr;
  std::string shown;
  Command command;
};

void add_catalogue(CLI::App& app, CatalogueCommands& commands) {
  CLI::App* catalogue = app.add_subcommand("catalogue", "Make, compare and look at catalogues");
  catalogue->require_subcommand(1);
  Command& command = commands.command;
  commands.import = catalogue->add_subcommand(
      "import",
      "Make a catalogue of what models.dev, OpenRouter or LiteLLM publish (JSON), and tell what "
      "was taken, changed and could not be placed");
  commands.import->add_option("FILE", command.files, "JSON files; several become one")->required();
  commands.import->add_option("-o,--out", command.out_file,
                              "Where to write it; without it to standard output");
  commands.diff =
      catalogue->add_subcommand("diff", "Tell what is different between two of our catalogues");
  commands.diff->add_option("FILE", command.files, "Before, and after")->required()->expected(2);
  commands.show = catalogue->add_subcommand("show", "Print what a client would see of a catalogue");
  commands.show->add_option("FILE", commands.shown, "A catalogue")->required();
  commands.show
      ->add_option("PATH", command.text,
                   "/models, /model/A/B, /models/A/B/endpoints, /providers, ...")
      ->default_val("/models");
}

// `leat import`, with what it was given.
struct ImportCommand {
  CLI::App* litellm = nullptr;
  std::string file;
  Command command;
};

void add_import(CLI::App& app, ImportCommand& import) {
  CLI::App* group = app.add_subcommand("import", "Make a configuration of another gateway's");
  group->require_subcommand(1);
  import.command.kind = Command::Kind::kImportLitellm;
  import.litellm = group->add_subcommand(
      "litellm",
      "Make a configuration of the config.yaml of a LiteLLM proxy, and tell what has no "
      "counterpart. Keys are never copied: they become references to the environment");
  import.litellm->add_option("FILE", import.file, "The config.yaml")->required();
  import.litellm->add_option("-o,--out", import.command.out_file,
                             "Where to write it; without it to standard output");
}

// `leat explain`, with what it was given.
struct ExplainCommand {
  CLI::App* app = nullptr;
  std::string request;
  Command command;
};

void add_explain(CLI::App& app, ExplainCommand& explain) {
  explain.app = app.add_subcommand(
      "explain",
      "Tell which endpoints a request would go to, in which order, and why the others would not be "
      "asked; call nobody. Status 1 if it would be refused");
  explain.command.kind = Command::Kind::kExplain;
  explain.app->add_option("-c,--config", explain.command.config_file, "TOML file")->required();
  explain.app->add_option("-k,--key", explain.command.key_name,
                          "Name of the client key that asks; without it the first one");
  explain.app->add_flag("--json", explain.command.as_json, "As JSON");
  explain.app
      ->add_option("FILE", explain.request,
                   "Body of a request to /api/v1/chat/completions; - is standard input")
      ->required();
}

// By what a command finds the running Leat; the group wants one of them.
void add_place(CLI::App& command, AdminPlace& place, const std::string& key_is_for) {
  CLI::Option_group* where = command.add_option_group("Which Leat");
  where->add_option("-c,--config", place.config_file, "Its TOML file");
  where->add_option("--socket", place.socket, "Its admin socket");
  where->add_option("--url,--admin", place.url,
                    fmt::format("Its admin listener, http://ADDRESS:PORT; {} the operator's key in "
                                "the environment's {}",
                                key_is_for, kOperatorKeyVariable));
  where->require_option(1);
}

// `leat top`, with what it was given.
CLI::App* add_top(CLI::App& app, TopCommand& top) {
  CLI::App* command =
      app.add_subcommand("top", "Show what a running Leat does, a frame a second; q ends it");
  add_place(*command, top.place, "money and requests only with");
  command->add_flag("--once", top.once, "Print one frame and end");
  return command;
}

// `leat reload` and `leat diff`, with what they were given.
struct ReloadCommands {
  CLI::App* reload = nullptr;
  CLI::App* diff = nullptr;
  ReloadCommand command;

  // None: it was another command.
  std::optional<Command> asked();
};

std::optional<Command> ReloadCommands::asked() {
  if (!*reload && !*diff) return std::nullopt;
  if (!command.against_file.empty() && command.place.config_file.empty()) {
    return printed("--against needs --config, which it compares with", kExitUsage);
  }
  command.is_dry_run = bool(*diff);
  return Command{.kind = Command::Kind::kReload, .reload = std::move(command)};
}

void add_reload(CLI::App& app, ReloadCommands& commands) {
  ReloadCommand& command = commands.command;
  commands.reload = app.add_subcommand(
      "reload",
      "Have a running Leat read its configuration, catalogue, certificates and keys anew, and tell "
      "what changed. Status 78 if they are refused: the last good ones stay");
  add_place(*commands.reload, command.place, "with");
  commands.diff = app.add_subcommand(
      "diff",
      "Tell what a running Leat would change if it read its configuration anew, or what is "
      "different between two files; change nothing");
  add_place(*commands.diff, command.place, "with");
  commands.diff->add_option("--against", command.against_file,
                            "An older file: compare the file of --config with it, and ask no Leat");
}

CLI::App* add_doctor(CLI::App& app, std::string& config_file) {
  CLI::App* doctor = app.add_subcommand(
      "doctor",
      "Tell what kernel, limits, CPU and network cards offer, what is used of it and what would "
      "bring more");
  doctor->add_option("-c,--config", config_file,
                     "TOML file: tell it for this one; without it for the built-in defaults");
  return doctor;
}

}  // namespace

Command parse_command_line(int argc, const char* const* argv) {
  CLI::App app(
      "Leat: a gateway between applications and LLM providers.\n"
      "Without a command it serves with built-in defaults.",
      "leat");
  std::string config_file;
  CLI::App* serve = app.add_subcommand("serve", "Serve; this is also what no command means");
  serve->add_option("-c,--config", config_file, "TOML file; without it the built-in defaults");
  CLI::App* check =
      app.add_subcommand("check", "Tell all faults of a configuration; start nothing");
  check->add_option("-c,--config", config_file, "TOML file")->required();
  const CLI::App* doctor = add_doctor(app, config_file);
  CatalogueCommands catalogue;
  add_catalogue(app, catalogue);
  ImportCommand import;
  add_import(app, import);
  ExplainCommand explain;
  add_explain(app, explain);
  const LedgerCommandLine ledger(app);
  const AccountCommandLine accounts(app);
  TopCommand top;
  const CLI::App* top_command = add_top(app, top);
  ReloadCommands reload;
  add_reload(app, reload);
  CLI::App* help = app.add_subcommand("help", "Explain something at length");
  CLI::App* help_config = help->add_subcommand("config", "All settings of the configuration file");
  help->require_subcommand(0, 1);
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", version_text(), "Tell the version");
  app.footer(
      "Exit status: 0 done, 64 wrong arguments, 66 an input that cannot be read, 78 a fault in the "
      "configuration or a machine "
      "that does not offer what is needed.");
  const std::string overview = app.help();  // once parsed, it is the chosen command's
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream out;
    const bool is_wish = app.exit(error, out, out) == 0;  // --help, --version
    return printed(out.str(), is_wish ? 0 : kExitUsage);
  }
  if (*check) return {.kind = Command::Kind::kCheck, .config_file = config_file};
  if (*doctor) return {.kind = Command::Kind::kDoctor, .config_file = config_file};
  if (*catalogue.import) catalogue.command.kind = Command::Kind::kCatalogueImport;
  if (*catalogue.diff) catalogue.command.kind = Command::Kind::kCatalogueDiff;
  if (*catalogue.show) catalogue.command.kind = Command::Kind::kCatalogueShow;
  if (*catalogue.show) catalogue.command.files = {catalogue.shown};
  if (!catalogue.command.files.empty()) return catalogue.command;
  if (*import.litellm) {
    import.command.files = {import.file};
    return import.command;
  }
  if (*explain.app) {
    explain.command.files = {explain.request};
    return explain.command;
  }
  if (auto asked = ledger.asked()) return std::move(*asked);
  if (auto asked = accounts.asked()) {
    return {.kind = Command::Kind::kAccounts, .accounts = std::move(*asked)};
  }
  if (*top_command) return {.kind = Command::Kind::kTop, .top = std::move(top)};
  if (auto asked = reload.asked()) return std::move(*asked);
  if (*help_config) return printed(config_reference(), 0);
  if (*help) return printed(overview, 0);
  return {.kind = Command::Kind::kServe, .config_file = config_file};
}

std::string version_text() {
  return fmt::format("leat {} ({})", kVersion, LEAT_COMPILER);
}

}  // namespace leat::control
