"""Why a model answers as it does: the same questions under other conditions, by the likelihood of each option."""
