package chaos

const liarAddress = "PIE_CHAOS_LIAR"

func serveLies() int { return 0 }
