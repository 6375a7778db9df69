// SPDX-License-Identifier: Apache-2.0
// Goal: a secret that comes and goes is readable as long as somebody holds it, wiped the moment
// nobody does, and its memory serves the next, in locked pages alone. Method: what lies at a
// secret's address is read after it was let go of, which its slots still hold; holders on other
// threads.
#include "tls/secret_slots.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace leat::tls {
namespace {

TEST(SecretSlots, HoldSecretsOfAllSizes) {
  SecretSlots slots;
  std::vector<SecretRef> held;
  std::vector<std::string> texts;
  for (const std::size_t size : {1, 40, 256, 257, 2'048, 2'049, 8'192}) {
    texts.emplace_back(size, static_cast<char>('a' + texts.size()));
    held.push_back(slots.put(texts.back()));
  }
  for (std::size_t i = 0; i < held.size(); ++i) EXPECT_EQ(held[i]->view(), texts[i]);
}

TEST(SecretSlots, WipeWhatNobodyHolds) {
  SecretSlots slots;
  SecretRef one = slots.put("sk-one");
  SecretRef same = one;
  const char* const place = one->view().data();
  one.reset();
  EXPECT_EQ(same->view(), "sk-one") << "somebody holds it still";
  same.reset();
  EXPECT_TRUE(std::all_of(place, place + 256, [](char c) { return c == 0; }));
}

TEST(SecretSlots, UseAFreeSlotAgain) {
  SecretSlots slots;
  std::vector<SecretRef> held;
  for (int i = 0; i < 50; ++i) held.push_back(slots.put("key " + std::to_string(i)));
  const std::size_t bytes = slots.bytes();
  const char* const place = held[17]->view().data();
  held[17].reset();
  held[17] = slots.put("another");
  EXPECT_EQ(held[17]->view().data(), place);
  for (std::size_t round = 0; round < 1'000; ++round) {
    held[round % held.size()].reset();
    held[round % held.size()] = slots.put("new");
  }
  EXPECT_EQ(slots.bytes(), bytes);
  EXPECT_EQ(held[18]->view(), "new");
}

TEST(SecretSlots, ASecretOutlivesItsSlots) {
  auto slots = std::make_unique<SecretSlots>();
  const SecretRef held = slots->put("sk-longer");
  slots.reset();
  EXPECT_EQ(held->view(), "sk-longer");
}

TEST(SecretSlots, WhatWasWrittenIsPutAndWiped) {
  SecretSlots slots;
  const std::span<char> room = slots.scratch();
  ASSERT_EQ(room.size(), SecretSlots::kSecretMax);
  const std::string text = "sk-written";
  std::copy(text.begin(), text.end(), room.begin());
  const SecretRef made = slots.put_written(text.size());
  EXPECT_EQ(made->view(), text);
  EXPECT_NE(made->view().data(), room.data());
  EXPECT_TRUE(std::all_of(room.begin(), room.end(), [](char c) { return c == 0; }));
}

// One thread puts, others let go: no secret is ever another's.
TEST(SecretSlots, ThreadsLetGoOfSecretsWithoutALock) {
  SecretSlots slots;
  for (int round = 0; round < 200; ++round) {
    std::vector<SecretRef> held;
    for (int i = 0; i < 8; ++i) held.push_back(slots.put("secret " + std::to_string(i)));
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([held, i] {
        const std::string wanted = "secret " + std::to_string(i);
        EXPECT_EQ(held[static_cast<std::size_t>(i)]->view(), wanted);
      });
    }
    held.clear();
    const SecretRef next = slots.put("next");
    for (std::thread& each : threads) each.join();
    EXPECT_EQ(next->view(), "next");
  }
}

// "VmLck" counts what is locked; a container may forbid it, and then the slots say so.
TEST(SecretSlots, LieInLockedPages) {
  const auto locked_kib = [] {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmLck:")) return std::stol(line.substr(6));
    }
    return 0L;
  };
  const long before = locked_kib();
  SecretSlots slots;
  const SecretRef held = slots.put("sk-locked");
#ifdef LEAT_SANITIZED
  EXPECT_EQ(locked_kib(), before) << "the sanitizers' mlock() says that it did, and does nothing";
#else
  EXPECT_EQ(slots.is_locked(), locked_kib() > before);
#endif
}

}  // namespace
}  // namespace leat::tls
