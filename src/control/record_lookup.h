// SPDX-License-Identifier: Apache-2.0
// RecordLookup: finds the record of a generation by its id. The newest million or so are found by
// an index - a hash and a place, 12 bytes each - that a tail feeds; older ones by reading the
// segments of the time that the id tells. Belongs to one thread; find() blocks for as long as the
// disk takes.
//
// The index is a list and not a table of hashes: it is added to for every record, at the end and so
// without a miss of the cache, and looked through when somebody asks: 0.7 ms for all of it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/ledger_tail.h"
#include "control/segment_folder.h"

namespace leat::control {

class RecordLookup {
 public:
  static constexpr std::size_t kEntriesDefault = std::size_t{1} << 20;

  // Of `entries_max`, at least the newer half is in the index. `folder` outlives it.
  explicit RecordLookup(const SegmentFolder& folder, std::size_t entries_max = kEntriesDefault);

  void put(std::string_view generation_id, const RecordPlace& place);
  // From now on every record is put that is written: an id of later that is not in the index does
  // not exist, and nobody makes us read segments by making up ids.
  void set_complete_after(WallTime now) { complete_after_ = now.unix_seconds(); }

  // The encoded record; none: there is no such, or retention removed it. An error is the folder's.
  Result<std::optional<std::string>> find(std::string_view generation_id) const;

 private:
  struct Slot {
    std::uint32_t segment = 0;  // of Part::segments
    std::uint32_t offset = 0;
  };
  // What came one after the other; a hash and a slot for each.
  struct Part {
    std::vector<std::uint32_t> hashes;
    std::vector<Slot> slots;
    std::vector<ledger::SegmentIdentity> segments;
    std::int64_t newest = INT64_MIN;  // second of the ids that are in it
  };
  std::vector<RecordPlace> places_of(std::string_view generation_id) const;

  const SegmentFolder& folder_;
  std::size_t part_entries_max_;
  std::array<Part, 2> parts_;  // the newer one first
  std::int64_t complete_after_ = INT64_MAX;
};

// The second in which a generation began, as its id tells; none: no id of ours.
std::optional<std::int64_t> second_of_id(std::string_view generation_id);

}  // namespace leat::control
