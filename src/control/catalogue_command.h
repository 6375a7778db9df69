// SPDX-License-Identifier: Apache-2.0
// What `leat catalogue ...` does: import, diff, check and show. Reads files through Surroundings
// and gives text back; writing it where it belongs is main's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/surroundings.h"

namespace leat::control {

struct CatalogueOutcome {
  int status = 0;        // of the process
  std::string output;    // what was asked for
  std::string messages;  // for standard error: the account of an import, faults
};

// Published catalogues as one of ours. What came out has been read and judged like any other, so
// that what this writes `leat check` takes.
CatalogueOutcome import_catalogues(const std::vector<std::string>& files,
                                   const Surroundings& surroundings);

// Both are our own files. Status 0 whether they differ or not.
CatalogueOutcome diff_catalogues(const std::string& before, const std::string& after,
                                 const Surroundings& surroundings);

// The body that a client of a gateway with this catalogue alone would get for a path and query of
// the listing routes: "/models?q=llama", "/models/a/b/endpoints", "/providers".
CatalogueOutcome show_catalogue(const std::string& file, std::string_view target,
                                const Surroundings& surroundings);

}  // namespace leat::control
