"""Mail: acceptance, queue, delivery attempts and outcomes."""
