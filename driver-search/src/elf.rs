//! Reading and editing the dynamic symbols of a library file.
