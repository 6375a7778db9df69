// SPDX-License-Identifier: Apache-2.0
#include "control/ledger_history.h"

#include <utility>

namespace leat::control {
namespace {

class RecordVisitor final : public ledger::EntryVisitor {
 public:
  explicit RecordVisitor(const std::function<void(const ledger::UsageRecord&)>& take)
      : take_(take) {}

  void on_entry(const ledger::SegmentHeader&, const ledger::Entry& entry) override {
    if (entry.kind != ledger::FrameKind::kUsage) return;
    const auto record = ledger::decode(entry.payload);
    if (record) {
      take_(*record);
    } else {
      is_readable = false;
    }
  }

  bool is_readable = true;

 private:
  const std::function<void(const ledger::UsageRecord&)>& take_;
};

}  // namespace

Result<bool> for_each_history(const SegmentFolder& folder,
                              const std::function<bool(const History&)>& use) {
  LEAT_TRY(const auto files, folder.list());
  for (std::size_t i = 0; i < files.size();) {
    History history{.owner = files[i].owner, .files = {}, .mapped = {}};
    const auto is_same = [&](const LedgerFile& file) {
      return file.owner.generation == history.owner.generation &&
             file.owner.shard == history.owner.shard;
    };
    for (; i < files.size() && is_same(files[i]); ++i) {
      if (files[i].kind != LedgerFile::Kind::kSegment) continue;
      auto mapped = folder.map(files[i]);
      if (!mapped && is_gone(mapped.error())) continue;
      if (!mapped) return fail(mapped.error());
      history.files.push_back(files[i]);
      history.mapped.push_back(std::move(*mapped));
    }
    if (!history.files.empty() && !use(history)) break;
  }
  return true;
}

ledger::ReplayReport replay_history(const History& history, ledger::EntryVisitor& visitor) {
  std::vector<std::span<const char>> bytes;
  for (const MappedFile& file : history.mapped) bytes.push_back(file.bytes());
  return ledger::replay(bytes, visitor);
}

Result<bool> for_each_record(const SegmentFolder& folder,
                             const std::function<void(const ledger::UsageRecord&)>& take) {
  RecordVisitor visitor(take);
  bool is_intact = true;
  LEAT_TRY_VOID(for_each_history(folder, [&](const History& history) {
    is_intact = replay_history(history, visitor).is_intact && is_intact;
    return true;
  }));
  return is_intact && visitor.is_readable;
}

}  // namespace leat::control
