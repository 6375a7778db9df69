// SPDX-License-Identifier: Apache-2.0
// Goal: a record of what another process had open settles what was held for it, in every quantity
// of its accounts and in no other. Method: a book with open requests, their records, and what comes
// of them.
#include "control/late_records.h"

#include <gtest/gtest.h>

namespace leat::control {
namespace {

using policy::AccountLevel;
using policy::AccountQuantity;
using policy::LimitClass;

AccountQuantity quantity(policy::QuantityId id, LimitClass limit_class, bool counts_byok = false) {
  AccountQuantity made;
  made.id = id;
  made.limit_class = limit_class;
  made.counts_byok = counts_byok;
  made.terms = {.kind = policy::QuantityKind::kBudget, .limit = 1000};
  return made;
}

UsageBook book_with_one_settled() {
  UsageBook book;
  book.hold({.generation_id = "gen-1",
             .key_id = "#17",
             .organisation_id = "#2",
             .reserved = 400,
             .byok_reserved = 500,
             .tokens_reserved = 60});
  ledger::UsageRecord record;
  record.generation_id = "gen-1";
  record.key_id = "#17";
  record.organisation_id = "#2";
  record.charge = 30;
  record.cost = 25;
  record.flags.is_byok = true;
  record.tokens.prompt = 3;
  record.tokens.completion = 4;
  book.add(record);
  return book;
}

TEST(LateRecords, SettleEveryQuantityOfTheirAccounts) {
  LateRecords late;
  late.add(AccountLevel::kKey, "#17", quantity(1, LimitClass::kMoney));
  late.add(AccountLevel::kKey, "#17", quantity(2, LimitClass::kDayTokens));
  late.add(AccountLevel::kOrganisation, "#2", quantity(3, LimitClass::kMoney, true));
  late.add(AccountLevel::kKey, "#18", quantity(4, LimitClass::kMoney));
  late.add(AccountLevel::kWorkspace, "#17", quantity(5, LimitClass::kMoney));
  UsageBook book = book_with_one_settled();
  const auto settled = late.settle(book.take_released());
  ASSERT_EQ(settled.size(), 3u);
  EXPECT_EQ(settled[0].id, 1u);
  EXPECT_EQ(settled[0].held, 400);
  EXPECT_EQ(settled[0].charged, 30);
  EXPECT_EQ(settled[1].id, 2u);
  EXPECT_EQ(settled[1].held, 60);
  EXPECT_EQ(settled[1].charged, 7);
  EXPECT_EQ(settled[2].id, 3u);
  EXPECT_EQ(settled[2].held, 900);
  EXPECT_EQ(settled[2].charged, 55) << "with what its provider asked of the own key";
}

TEST(LateRecords, OfOneRequestOnce) {
  UsageBook book = book_with_one_settled();
  EXPECT_EQ(book.take_released().size(), 1u);
  EXPECT_TRUE(book.take_released().empty());
  ledger::UsageRecord other;
  other.generation_id = "gen-2";
  other.key_id = "#17";
  book.add(other);
  EXPECT_TRUE(book.take_released().empty()) << "it was not open before";
}

}  // namespace
}  // namespace leat::control
