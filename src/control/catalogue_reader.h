// SPDX-License-Identifier: Apache-2.0
// From TOML to a CatalogueDraft: whole catalogue files, and the catalogue's part of a configuration
// (the same tables in the same form). Judges each value for itself and adds to the faults; what
// parts say about each other is judged when the catalogue is built (catalogue_build.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "control/catalogue_draft.h"
#include "control/fault.h"
#include "control/option_table.h"
#include "control/toml_tree.h"

namespace leat::control {

// 5,000 endpoints have 2 MiB.
inline constexpr std::size_t kCatalogueBytesMax = 64 * 1024 * 1024;

// The rows that drive reading, suggestions and the reference page.
std::span<const Setting<DraftProvider>> catalogue_provider_settings();
std::span<const Setting<DraftModel>> catalogue_model_settings();
std::span<const Setting<DraftEndpoint>> catalogue_endpoint_settings();
// What each policy::Quirk means for a request, in the order of the enumeration.
std::span<const std::string_view> quirk_meanings();

// One file that holds nothing but [providers.SLUG], [[models]] and [aliases]. Its name is added to
// the draft's files, its parts to the draft's.
void read_catalogue(std::string_view text, const std::string& file, CatalogueDraft& draft,
                    FaultList& faults);

// The catalogue's part of one table; keys that are not the catalogue's are left to the caller.
// `file` is the index of the draft's file that the table stands in.
DraftProvider read_catalogue_provider(const TomlMember& member, std::string_view path,
                                      std::uint32_t file, FaultList& faults);
// Without its endpoints.
DraftModel read_catalogue_model(const TomlValue& table, std::string_view path, std::uint32_t file,
                                FaultList& faults);
void read_catalogue_aliases(const TomlValue& root, std::uint32_t file, CatalogueDraft& draft,
                            FaultList& faults);
DraftEndpoint read_catalogue_endpoint(const TomlValue& table, std::string_view path,
                                      std::uint32_t file, FaultList& faults);

}  // namespace leat::control
