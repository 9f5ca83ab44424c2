// What nearly every test includes, compiled once for all test programs.
#pragma once

#include "base/precompiled.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
