import Testing

/// One after the other: each has the machine to itself, as what they measure is time.
@Suite(.serialized) enum RealProcesses {}
