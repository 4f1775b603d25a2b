// Asio's and Beast's function bodies, compiled once for the whole project
// (BOOST_ASIO_SEPARATE_COMPILATION and BOOST_BEAST_SEPARATE_COMPILATION are
// set for every target in .bazelrc).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
