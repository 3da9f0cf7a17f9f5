; What only JavaScript's grammar calls by these names.

(class_declaration name: (identifier) @name) @class
(field_definition
  property: (_) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]) @method
