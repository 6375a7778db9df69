// SPDX-License-Identifier: Apache-2.0
// leat: reads the arguments, and does what they say.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "app/serve.h"
#include "app/top.h"
#include "control/account_command.h"
#include "control/catalogue_command.h"
#include "control/check_report.h"
#include "control/client_key.h"
#include "control/command_line.h"
#include "control/config.h"
#include "control/defaults.h"
#include "control/doctor.h"
#include "control/explain_command.h"
#include "control/ledger_command.h"
#include "control/ledger_report.h"
#include "control/litellm_config.h"
#include "control/machine.h"
#include "control/placement.h"
#include "control/reload_command.h"
#include "control/sandbox.h"
#include "control/surroundings.h"
#include "io/preflight.h"

namespace {

int check(const leat::control::Command& command, const leat::control::Surroundings& surroundings) {
  const auto config = leat::control::load_config(command.config_file, surroundings);
  std::fputs(leat::control::check_report(command.config_file, config).c_str(),
             config.ok() ? stdout : stderr);
  return config.ok() ? 0 : leat::control::kExitConfig;
}

int serve(const leat::control::Command& command, const leat::control::Surroundings& surroundings) {
  if (!command.config_file.empty()) {
    const leat::control::NotingSurroundings noting(surroundings);
    const auto config = leat::control::load_config(command.config_file, noting);
    if (!config.ok()) {
      std::fputs(leat::control::check_report(command.config_file, config).c_str(), stderr);
      return leat::control::kExitConfig;
    }
    return leat::app::serve(config.options, config.catalogue,
                            {.file = command.config_file, .files = noting.files()}, surroundings);
  }
  const auto defaults = leat::control::default_options(surroundings, leat::control::random_bytes());
  for (const std::string& note : defaults.notes) std::printf("%s\n", note.c_str());
  if (!defaults.made_up_key.empty()) std::printf("key: %s\n", defaults.made_up_key.c_str());
  return leat::app::serve(defaults.options,
                          std::make_shared<const leat::gateway::RoutedCatalogue>(
                              leat::gateway::plain_catalogue(defaults.options)),
                          {}, surroundings);
}

// Writes what came out where it was wanted.
int finish(const leat::control::CatalogueOutcome& outcome, const std::string& out_file) {
  std::fputs(outcome.messages.c_str(), stderr);
  if (outcome.status != 0 || out_file.empty()) {
    std::fputs(outcome.output.c_str(), stdout);
    return outcome.status;
  }
  std::FILE* file = std::fopen(out_file.c_str(), "we");
  const bool is_written = file != nullptr && std::fputs(outcome.output.c_str(), file) >= 0;
  const bool is_closed = file != nullptr && std::fclose(file) == 0;
  if (is_written && is_closed) return 0;
  std::perror(out_file.c_str());
  return leat::control::kExitConfig;
}

leat::WallTime wall_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::nanoseconds(now).count()};
}

int explain(const leat::control::Command& command,
            const leat::control::Surroundings& surroundings) {
  const auto outcome = leat::control::explain_request(command, surroundings, wall_now());
  std::fputs(outcome.messages.c_str(), stderr);
  std::fputs(outcome.report.c_str(), stdout);
  return outcome.status;
}

// `rebuild --time`: how long the whole of it took, as a start would.
int rebuild(const leat::control::Command& command, const leat::control::Printer& print,
            const leat::control::Printer& complain) {
  const auto begin = std::chrono::steady_clock::now();
  const int status =
      leat::control::rebuild_ledger(command.files.front(), wall_now(), print, complain);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  if (command.with_time) print(std::to_string(took.count()) + " s\n");
  return status;
}

int ledger(const leat::control::Command& command) {
  using Kind = leat::control::Command::Kind;
  const auto print = [](std::string_view text) {
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  };
  const auto complain = [](std::string_view text) {
    return std::fwrite(text.data(), 1, text.size(), stderr) == text.size();
  };
  const std::string& folder = command.files.front();
  int status = 0;
  switch (command.kind) {
    case Kind::kLedgerVerify:
      status = leat::control::verify_ledger(folder, print);
      break;
    case Kind::kLedgerStatement:
      status =
          leat::control::print_statement(folder, command.statement, wall_now(), print, complain);
      break;
    case Kind::kLedgerRebuild:
      status = rebuild(command, print, complain);
      break;
    case Kind::kUsage:
      status = leat::control::print_usage(folder, command.usage, print, complain);
      break;
    default:
      status = leat::control::export_ledger(folder, command.ledger_export, print, complain);
  }
  return std::fflush(stdout) == 0 || status != 0 ? status : leat::control::kExitLoss;
}

int accounts(const leat::control::Command& command,
             const leat::control::Surroundings& surroundings) {
  const auto outcome =
      leat::control::run_account_command(command.accounts, surroundings, wall_now());
  std::fputs(outcome.messages.c_str(), stderr);
  std::fputs(outcome.output.c_str(), stdout);
  return outcome.status;
}

int reload(const leat::control::Command& command, const leat::control::Surroundings& surroundings) {
  const auto outcome = leat::control::run_reload(command.reload, surroundings);
  std::fputs(outcome.messages.c_str(), stderr);
  std::fputs(outcome.output.c_str(), stdout);
  return outcome.status;
}

int doctor(const leat::control::Command& command, const leat::control::Surroundings& surroundings) {
  leat::ServerOptions server;
  leat::HoldMode hold = leat::HoldMode::kAuto;
  std::optional<leat::ContentLogSettings> content_log;  // without a configuration nobody knows
  if (!command.config_file.empty()) {
    const auto config = leat::control::load_config(command.config_file, surroundings);
    if (!config.ok()) {
      std::fputs(leat::control::check_report(command.config_file, config).c_str(), stderr);
      return leat::control::kExitConfig;
    }
    server = config.options.server;
    hold = config.options.hold.mode;
    content_log = config.options.content_log;
  }
  const auto machine = leat::control::read_machine_facts();
  const auto ring = leat::io::run_preflight();
  auto more = leat::control::placement_lines(
      {.topology = leat::control::read_topology(),
       .server = server,
       .shards = server.shards != 0 ? server.shards : std::max(machine.cores_usable, 1U),
       .offers_napi = ring && ring->uses(leat::io::Feature::kNapi),
       .hold = hold});
  if (content_log) more.push_back(leat::control::content_log_line(*content_log));
  const auto report =
      leat::control::examine(machine, ring, leat::control::offered_sandbox(surroundings), more);
  std::fputs(report.text.c_str(), stdout);
  return report.can_serve ? 0 : leat::control::kExitConfig;
}

}  // namespace

int main(int argc, char** argv) {
  const leat::control::Command command = leat::control::parse_command_line(argc, argv);
  const leat::control::SystemSurroundings surroundings;
  switch (command.kind) {
    case leat::control::Command::Kind::kPrint:
      std::fputs(command.text.c_str(), command.status == 0 ? stdout : stderr);
      return command.status;
    case leat::control::Command::Kind::kCheck:
      return check(command, surroundings);
    case leat::control::Command::Kind::kDoctor:
      return doctor(command, surroundings);
    case leat::control::Command::Kind::kCatalogueImport:
      return finish(leat::control::import_catalogues(command.files, surroundings),
                    command.out_file);
    case leat::control::Command::Kind::kImportLitellm:
      return finish(leat::control::import_litellm_config(command.files.front(), surroundings),
                    command.out_file);
    case leat::control::Command::Kind::kCatalogueDiff:
      return finish(
          leat::control::diff_catalogues(command.files[0], command.files[1], surroundings), "");
    case leat::control::Command::Kind::kCatalogueShow:
      return finish(leat::control::show_catalogue(command.files[0], command.text, surroundings),
                    "");
    case leat::control::Command::Kind::kExplain:
      return explain(command, surroundings);
    case leat::control::Command::Kind::kLedgerVerify:
    case leat::control::Command::Kind::kLedgerExport:
    case leat::control::Command::Kind::kLedgerStatement:
    case leat::control::Command::Kind::kLedgerRebuild:
    case leat::control::Command::Kind::kUsage:
      return ledger(command);
    case leat::control::Command::Kind::kReload:
      return reload(command, surroundings);
    case leat::control::Command::Kind::kTop:
      return leat::app::top(command.top, surroundings);
    case leat::control::Command::Kind::kAccounts:
      return accounts(command, surroundings);
    case leat::control::Command::Kind::kServe:
      return serve(command, surroundings);
  }
}
