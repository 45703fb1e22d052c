// Sites are the simulator's: natively they are nothing.
#pragma once

#define BUGGIFY(label) false
#define SOMETIMES(label) static_cast<void>(0)
#define NEVER(label) static_cast<void>(0)
