// SPDX-License-Identifier: Apache-2.0
// Goal: each answer of control reaches the one who asked, once, and nobody who has left. Method: a
// mailbox that takes what it is told to.
#include "gateway/account_question.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace leat::gateway {
namespace {

class AccountQuestionsTest : public testing::Test {
 protected:
  std::uint64_t ask(const std::string& who) {
    const auto send = [this](std::unique_ptr<AccountQuestion>& question) {
      if (is_full_) return false;
      sent_.push_back(std::move(question));
      return true;
    };
    return questions_.ask(
        {.topic = AccountTopic::kCredits, .query = who}, send,
        [this, who](const AccountReply& reply) { heard_.push_back(who + ": " + reply.body); });
  }

  AccountQuestions questions_;
  std::vector<std::unique_ptr<AccountQuestion>> sent_;
  std::vector<std::string> heard_;
  bool is_full_ = false;
};

TEST_F(AccountQuestionsTest, EachHearsItsOwnAnswerOnce) {
  const std::uint64_t ann = ask("ann");
  const std::uint64_t bob = ask("bob");
  ASSERT_EQ(sent_.size(), 2u);
  EXPECT_EQ(sent_[0]->ticket, ann);
  EXPECT_EQ(sent_[1]->ticket, bob);
  EXPECT_NE(ann, bob);
  EXPECT_EQ(sent_[0]->query, "ann");
  EXPECT_EQ(sent_[0]->topic, AccountTopic::kCredits);
  questions_.take({.ticket = bob, .body = "7"});
  questions_.take({.ticket = bob, .body = "7"});
  questions_.take({.ticket = ann, .body = "8"});
  EXPECT_EQ(heard_, (std::vector<std::string>{"bob: 7", "ann: 8"}));
}

TEST_F(AccountQuestionsTest, WhoHasLeftHearsNothing) {
  const std::uint64_t ann = ask("ann");
  const std::uint64_t bob = ask("bob");
  questions_.forget(ann);
  questions_.take({.ticket = ann, .body = "8"});
  questions_.take({.ticket = bob, .body = "7"});
  EXPECT_EQ(heard_, std::vector<std::string>{"bob: 7"});
}

TEST_F(AccountQuestionsTest, WhereNobodyTakesItNobodyWaits) {
  is_full_ = true;
  EXPECT_EQ(ask("ann"), 0u);
  EXPECT_EQ(questions_.ask({}, {}, {}), 0u) << "there is no control to ask";
  is_full_ = false;
  const std::uint64_t bob = ask("bob");
  EXPECT_NE(bob, 0u);
  EXPECT_EQ(sent_[0]->ticket, bob);
  questions_.take({.ticket = bob, .body = "7"});
  EXPECT_EQ(heard_, std::vector<std::string>{"bob: 7"});
}

}  // namespace
}  // namespace leat::gateway
