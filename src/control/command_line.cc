// SPDX-License-Identifier: Apache-2.0
#include "control/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "control/config_reference.h"
#include "leat/version.h"

namespace leat::control {
namespace {

Command printed(std::string text, int status) {
  if (!text.ends_with('\n')) text += '\n';
  return {.kind = Command::Kind::kPrint, .text = std::move(text), .status = status};
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
  CLI::App* doctor =
      app.add_subcommand("doctor", "Tell what kernel, limits and CPU offer and what is used of it");
  CLI::App* help = app.add_subcommand("help", "Explain something at length");
  CLI::App* help_config = help->add_subcommand("config", "All settings of the configuration file");
  help->require_subcommand(0, 1);
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", version_text(), "Tell the version");
  app.footer(
      "Exit status: 0 done, 64 wrong arguments, 78 a fault in the configuration or a machine "
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
  if (*doctor) return {.kind = Command::Kind::kDoctor};
  if (*help_config) return printed(config_reference(), 0);
  if (*help) return printed(overview, 0);
  return {.kind = Command::Kind::kServe, .config_file = config_file};
}

std::string version_text() {
  return fmt::format("leat {} ({})", kVersion, LEAT_COMPILER);
}

}  // namespace leat::control
