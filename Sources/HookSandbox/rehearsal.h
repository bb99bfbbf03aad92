// What every invocation does, done once before anyone waits for it.
#pragma once

/// Parses, compiles, runs and encodes something of the project's own in a state that is thrown
/// away. What it touches is mapped and at hand afterwards: a worker that is asked later takes half
/// the page faults. Nothing of it reaches the state in which a hook runs.
void rehearse(void);
