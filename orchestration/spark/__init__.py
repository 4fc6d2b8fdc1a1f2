"""Apache Spark as the engine of the models, where one machine is outgrown."""
