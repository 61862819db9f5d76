"""What taps and notifiers share where states go over NATS JetStream: keys, values, and how things are put there.

Only fastagi/publisher_nats.py and notifier/intake_nats.py (and what `zvonok check` asks) import it, and only with
ZVONOK_NATS_URL set; only connection.py imports nats-py (the extra `zvonok[cluster]`).
"""
