# Vigo's bootstrap for Windows, for Windows PowerShell 5.1 and for PowerShell 7. It fetches the agent from the server
# below, checks it, and lets it enrol this host.
# All of it stands in one pair of parentheses: a copy that was cut short does not parse and does nothing.
[CmdletBinding(PositionalBinding = $false)]
param(
  [string]$Token,
  [string]$TokenFile,
  [switch]$TokenPrompt,
  [string[]]$CaPin,
  [string]$SigningPin,
  [string]$Server,
  [string]$ApiAddr,
  [string]$Hostname,
  [string]$ConfigDir,
  [string]$StateDir,
  [string]$BinDir,
  [switch]$NoService,
  [switch]$Help,
  [Parameter(ValueFromRemainingArguments = $true)]
  [object[]]$Rest
)

# The token first: no child may inherit it.
$secret = $env:VIGO_TOKEN
$env:VIGO_TOKEN = $null

Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$bound = $PSBoundParameters
$isDesktop = $PSVersionTable['PSEdition'] -ne 'Core'

# What the server says of itself.
$carried = @{
  Server = '@SERVER@'
  ApiAddr = '@API_ADDR@'
  CaPin = '@CA_PIN@'
  CaPinCurl = '@CA_PIN_CURL@'
  CaPinToken = '@CA_PIN_TOKEN@'
  LeafPin = '@LEAF_PIN@'
  LeafPinCurl = '@LEAF_PIN_CURL@'
  PubliclyTrusted = '@PUBLICLY_TRUSTED@'
}
$isPinned = $carried.PubliclyTrusted -ne 'yes'
$run = @{ Code = 1; Said = $false; Stage = ''; Made = ''; Protocols = $null; Encoding = $null }
[long]$maxSize = 268435456

function Write-Said([string]$Text) {
  $Host.UI.WriteErrorLine("vigo: $Text")
}

# What is wrong, then what to do.
function Stop-Run([int]$Code, [string]$What, [string]$Hint) {
  Write-Said $What
  if ($Hint) { Write-Said $Hint }
  $run.Code = $Code
  $run.Said = $true
  throw $What
}

function Stop-Usage([string]$What) {
  Stop-Run 2 $What 'see -Help'
}

function Get-Usage {
  $address = $carried.ApiAddr
  @(
    "Enrols this host with the Vigo server $($carried.Server). In PowerShell, as an administrator:"
    ''
    "  & ([scriptblock]::Create((irm '$address/bootstrap?os=windows'))) [flags]"
    ''
    '  -Token T            enrol with this token (it stays in the history of this session)'
    '  -TokenFile F        the token is the first line of the file F'
    '  -TokenPrompt        ask for the token'
    "  -CaPin PIN          the server's CA must have this key (sha256: and 64 hexadecimal digits); PIN,PIN for more"
    '  -SigningPin PIN     the agent must be signed by the key with this pin (of the same form)'
    "  -Server H:P         dial this gRPC address instead of $($carried.Server)"
    "  -ApiAddr URL        fetch from this address instead of $address"
    "  -Hostname H         enrol under this name instead of the host's own"
    '  -ConfigDir DIR      keep configuration, keys and certificates in DIR'
    '  -StateDir DIR       keep state in DIR'
    '  -BinDir DIR         install vigo.exe in DIR instead of the folder Vigo of Program Files'
    '  -NoService          install and start no service'
    '  -Help               show this'
    ''
    'VIGO_TOKEN in the environment is read as well.'
    ''
    'Examples (each after: & ([scriptblock]::Create((irm ...)))):'
    "  -CaPin $($carried.CaPin) -TokenPrompt"
    "  -CaPin $($carried.CaPin) -TokenFile C:\token.txt -Hostname web3.example.com"
    'Without an administrator:'
    '  -ConfigDir .\etc -StateDir .\state -BinDir .\bin -NoService'
  ) -join "`n"
}
