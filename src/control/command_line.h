// SPDX-License-Identifier: Apache-2.0
// The command line of `leat`: from arguments to what is to be done. Does nothing itself.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/account_command.h"
#include "control/ledger_command.h"
#include "control/ledger_report.h"
#include "control/reload_command.h"
#include "control/top_command.h"

namespace leat::control {

// Exit statuses, as in sysexits.h.
inline constexpr int kExitRefused = 1;   // `explain`: the request would be; `reload`: one runs
inline constexpr int kExitLoss = 1;      // `ledger`: something is lost, or could not be printed
inline constexpr int kExitUsage = 64;    // the arguments make no sense
inline constexpr int kExitNoInput = 66;  // an input cannot be read
inline constexpr int kExitConfig =
    78;  // the configuration, or what the machine offers, does not do

struct Command {
  enum class Kind : std::uint8_t {
    kServe,            // with `config_file`, or with the built-in defaults if that is empty
    kCheck,            // tell the faults of `config_file`
    kDoctor,           // tell what the machine offers for `config_file` (empty: the defaults)
    kImportLitellm,    // the first of `files` as a configuration of ours, to `out_file`
    kCatalogueImport,  // `files` as one of our catalogues, to `out_file` (empty: standard output)
    kCatalogueDiff,    // tell what is different between the two `files`
    kCatalogueShow,    // print what a client sees of the first of `files` at `text`
    kExplain,          // tell what would become of the request in the first of `files`
    kLedgerVerify,     // tell whether the ledger in the first of `files` is whole
    kLedgerExport,     // print its records, as `ledger_export` says
    kLedgerStatement,  // print what `statement` says of it
    kLedgerRebuild,    // make its projection anew
    kUsage,            // print what `usage` says of it
    kTop,              // show what a running Leat does, as `top` says
    kReload,           // have a running Leat read its configuration, or tell what that would change
    kAccounts,         // do what `accounts` says to an account store
    kPrint,            // print `text` and end with `status`: help, version, a usage error
  };
  Kind kind = Kind::kServe;
  std::string config_file;
  std::vector<std::string> files;
  std::string out_file;
  std::string key_name;    // of kExplain; empty: the first key
  bool as_json = false;    // of kExplain
  bool with_time = false;  // of kLedgerRebuild: tell how long it took
  LedgerExport ledger_export;
  StatementQuery statement;
  UsageQuery usage;
  AccountCommand accounts;
  TopCommand top;
  ReloadCommand reload;
  std::string text;
  int status = 0;
};

Command parse_command_line(int argc, const char* const* argv);

// "leat 0.1.0 (gcc 12.2.0)": version and the compiler it was built with.
std::string version_text();

}  // namespace leat::control
