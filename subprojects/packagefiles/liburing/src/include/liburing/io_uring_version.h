// SPDX-License-Identifier: Apache-2.0
// The version of the pinned liburing, as its build would write it.
#ifndef LIBURING_VERSION_H
#define LIBURING_VERSION_H

#define IO_URING_VERSION_MAJOR 2
#define IO_URING_VERSION_MINOR 15

#endif
