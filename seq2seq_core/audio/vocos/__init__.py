"""The neural vocoder Vocos (Siuzdak 2023): its files, its network, and the frames that it reads."""
