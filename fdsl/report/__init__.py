"""Records to tables and figures; nothing here trains, downloads or imports torch."""
