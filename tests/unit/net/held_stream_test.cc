// SPDX-License-Identifier: Apache-2.0
// Goal: the end of an answer that waits is, when it may go, exactly what was written, in order, and
// goes once; what is dropped never goes; all that is no writing reaches the real stream at once.
// Method: a stream that notes what is done to it.
#include "net/held_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace leat::net {
namespace {

class NotingStream final : public Stream {
 public:
  char* prepare(std::size_t size) override {
    room_.resize(size);
    return room_.data();
  }
  void commit(std::size_t size) override {
    text.append(room_, 0, size);
    ++commits;
  }
  void write_block(Block& block, std::size_t offset, std::size_t size) override {
    text.append(block.data() + offset, size);
  }
  void pause() override { did += "pause "; }
  void resume() override { did += "resume "; }
  bool can_receive_into_block() const override { return true; }
  void receive_block(BlockRef, std::size_t, std::size_t) override { did += "receive "; }
  std::size_t backlog_bytes() const override { return 77; }
  void finish() override { did += "finish "; }
  void abort() override { did += "abort "; }

  std::string text;
  std::string did;
  int commits = 0;

 private:
  std::string room_;
};

TEST(HeldStream, PassesOnAllThatWasWrittenInOnePiece) {
  NotingStream real;
  HeldStream held(real);
  std::string all;
  for (int i = 0; i < 300; ++i) {
    const std::string piece = "piece " + std::to_string(i) + ";";
    held.write(piece);
    all += piece;
  }
  const BlockRef block = Block::allocate(4);
  std::copy_n("abcd", 4, block->data());
  held.write_block(*block.get(), 1, 2);
  char* const place = held.prepare(100);
  std::copy_n("end", 3, place);
  held.commit(3);
  EXPECT_EQ(real.text, "");
  held.pass_on();
  EXPECT_EQ(real.text, all + "bcend");
  EXPECT_EQ(real.commits, 1);
  held.pass_on();
  EXPECT_EQ(real.commits, 1) << "nothing is held any more";
}

TEST(HeldStream, WhatIsDroppedIsGone) {
  NotingStream real;
  HeldStream held(real);
  held.write("all is well");
  held.drop();
  held.pass_on();
  EXPECT_EQ(real.text, "");
  held.write("it is not");
  held.pass_on();
  EXPECT_EQ(real.text, "it is not");
}

TEST(HeldStream, IsTheRealStreamInAllElse) {
  NotingStream real;
  HeldStream held(real);
  held.pause();
  held.resume();
  held.receive_block({}, 0, 0);
  held.finish();
  held.abort();
  EXPECT_EQ(real.did, "pause resume receive finish abort ");
  EXPECT_EQ(held.backlog_bytes(), 77u);
  EXPECT_TRUE(held.can_receive_into_block());
}

}  // namespace
}  // namespace leat::net
