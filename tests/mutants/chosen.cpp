// Which mutant runs: GEMEL_MUTANT, 0 (none) when it is not set.
#include <cstdlib>

namespace gemel {

extern int mutant;
int mutant = std::getenv("GEMEL_MUTANT") ? std::atoi(std::getenv("GEMEL_MUTANT")) : 0;

} // namespace gemel
